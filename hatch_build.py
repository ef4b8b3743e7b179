"""The compiled flavour of the wheel: the same sources, the busy ones through mypyc.

A wheel is pure unless CCCAMD_COMPILE says otherwise:

    CCCAMD_COMPILE=1       compiled; pure, with a word about it, where no compiler or no headers are
    CCCAMD_COMPILE=must    compiled, or an error

Which modules are compiled stands in pyproject.toml, at `[tool.hatch.build.targets.wheel.hooks]`.
"""

import os
import shlex
import shutil
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = "src"


class CompileHook(BuildHookInterface[Any]):
    """Compiles the listed modules and puts the results beside them into the wheel."""

    def dependencies(self) -> list[str]:
        wanted = _wish() and hindrance() is None
        # mypy follows the imports: it has to see the types of what cccamd stands on.
        return [*self.config["tools"], *self.metadata.core.dependencies] if wanted else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or not _wish():
            return
        if (missing := hindrance()) is not None:
            if _wish() == "must":
                raise SystemExit(f"cccamd cannot be compiled: {missing}")
            self.app.display_warning(f"the wheel becomes a pure one, not compiled: {missing}")
            return
        self.work = Path(tempfile.mkdtemp(prefix="cccamd-compile-"))
        _compile(Path(self.root) / SOURCES, self.config["modules"], self.work)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"].update(
            (str(built), str(built.relative_to(self.work / "lib")))
            for built in sorted((self.work / "lib").rglob("*.so"))
        )

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "work"):
            shutil.rmtree(self.work)


def _wish() -> str:
    wish = os.environ.get("CCCAMD_COMPILE", "")
    if wish not in ("", "0", "1", "must"):
        raise SystemExit(f"CCCAMD_COMPILE is {wish}; it may be 0, 1 or must")
    return wish.strip("0")


def hindrance() -> str | None:
    """What is missing that compiling needs and no package index has."""
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
    compiler = shlex.split(os.environ.get("CC", compiler))[0]
    if shutil.which(compiler) is None:
        return f"there is no C compiler {compiler} (apt-get install gcc)"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "the headers of Python are missing (apt-get install python3-dev)"
    return None


def _compile(sources: Path, modules: list[str], work: Path) -> None:
    """Leave the shared libraries of some modules in `work/lib`."""
    from mypyc.build import mypycify
    from setuptools import Distribution

    before = Path.cwd()
    # Below `sources`, for the paths that tracebacks show are the ones that are named here; Python
    # finds the lines of such a file along its own path.
    os.chdir(sources)
    try:
        extensions = mypycify(
            [
                # What is not compiled may lack types of packages that are not here.
                *("--strict", "--follow-imports=silent", "--config-file="),
                *("--cache-dir", str(work / "cache")),
                *(f"{name.replace('.', '/')}.py" for name in modules),
            ],
            target_dir=str(work / "c"),
            opt_level="3",
            debug_level="0",
        )
        command = Distribution({"name": "cccamd", "ext_modules": extensions}).get_command_obj(
            "build_ext"
        )
        command.build_lib, command.build_temp = str(work / "lib"), str(work / "objects")
        command.ensure_finalized()
        command.run()
    finally:
        os.chdir(before)
