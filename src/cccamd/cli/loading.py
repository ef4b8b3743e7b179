"""Import what stays to the end without looking for garbage in it; all that a command does, too."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from typing import ParamSpec

P = ParamSpec("P")


@contextmanager
def staying() -> Iterator[None]:
    """While modules are imported: to look for garbage in them would be a seventh of what a short
    command costs, now and at every look to come."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def deed(command: Callable[P, None]) -> Callable[P, None]:
    """Have a function be the words and options of a command, and no more.

    What it does is in the module of the same name in `deeds`, imported when the command runs:
    `run`, or in a group of commands the function of its name. That takes the same options
    (tests/cli/test_every_command.py).
    """

    @wraps(command)
    def carried_out(*args: P.args, **options: P.kwargs) -> None:
        with staying():
            module = import_module(command.__module__.replace(".cli.", ".cli.deeds."))
        run = getattr(module, "run", None) or getattr(module, command.__name__)
        run(*args, **options)

    return carried_out
