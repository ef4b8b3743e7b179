"""What zsh loads to complete words: typer's, which would offer nothing the first time."""

from typing import Final

from typer import _completion_shared as typers

_REGISTERED: Final = "compdef %(complete_func)s %(prog_name)s"
_CALLED: Final = f"""if [[ $funcstack[1] == _%(prog_name)s ]]; then
  %(complete_func)s "$@"
else
  {_REGISTERED}
fi"""
"""A file of `fpath` is the function that completes; one that is sourced has to name it."""


def mend() -> None:
    """Have typer print and install that."""
    script = typers._completion_scripts["zsh"]
    typers._completion_scripts["zsh"] = script.replace(f"\n{_REGISTERED}", f"\n{_CALLED}")
