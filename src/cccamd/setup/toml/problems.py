"""What can be wrong with a cccamd.toml, as values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlProblem:
    """One message about one place of the file. No text holds a secret."""

    source: str
    """The file's name as the operator gave it."""
    line: int | None = None
    """None: the file as a whole."""
    column: int | None = None
    text: str
    is_warning: bool = False
    """The setting is used all the same."""

    def __str__(self) -> str:
        place = self.source
        if self.line is not None:
            place += f":{self.line}"
        if self.column is not None:
            place += f":{self.column}"
        return f"{place}: {'warning' if self.is_warning else 'error'}: {self.text}"
