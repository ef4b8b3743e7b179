"""The files of one installation, read as the server reads them."""

from dataclasses import dataclass, field
from pathlib import Path

from cccamd.localcards import find_kinds
from cccamd.setup.cccamcfg import SEARCHED_PATHS, Config, ParseResult, load_config, parse
from cccamd.setup.files import ConfigFileError
from cccamd.setup.toml import FILE_NAME, ParsedToml, TomlConfig, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What was read, and why from there."""

    path: Path | None
    """CCcam.cfg; None: none was named, and none is in the usual places."""
    named: bool
    """The operator named it; else it was the first of the usual ones."""
    passed_over: tuple[Path, ...] = ()
    """Others of the usual ones that exist too, and are not read."""
    missing: bool = False
    unreadable: str = ""
    """Why it could not be read; empty when it could."""
    result: ParseResult = field(repr=False)
    toml_path: Path | None = None
    toml_named: bool = False
    toml: ParsedToml = field(default_factory=ParsedToml, repr=False)
    kind_problems: tuple[str, ...] = ()
    """Plug-ins that cannot be used."""

    @property
    def config(self) -> Config:
        """What CCcam.cfg says."""
        return self.result.config

    @property
    def settings(self) -> TomlConfig:
        """What cccamd.toml says."""
        return self.toml.config

    @property
    def is_known(self) -> bool:
        """Whether there is a configuration at all that the other checks can start from."""
        return not (self.unreadable or self.missing or self.result.refused)


def read_installation(path: Path | None, toml_path: Path | None) -> Installation:
    """Read CCcam.cfg and cccamd.toml; what cannot be read is told in the result."""
    named = path is not None
    kinds = find_kinds()
    unreadable, missing = "", False
    try:
        loaded = load_config(path, searched=SEARCHED_PATHS)
        path, missing, result = loaded.path, loaded.missing, loaded.result
    except ConfigFileError as error:
        path, unreadable, result = Path(error.name), error.reason, parse(b"")
    beside = toml_path or (path.parent / FILE_NAME if path is not None else None)
    toml = ParsedToml()
    if beside is not None:
        toml = load(beside, kinds=kinds, required=toml_path is not None)
    return Installation(
        path=path,
        named=named,
        passed_over=() if named else _others(path),
        missing=missing,
        unreadable=unreadable,
        result=result,
        toml_path=beside,
        toml_named=toml_path is not None,
        toml=toml,
        kind_problems=kinds.problems,
    )


def _others(path: Path | None) -> tuple[Path, ...]:
    return tuple(other for other in SEARCHED_PATHS if other != path and _is_there(other))


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder on the way that we may not enter
        return False
