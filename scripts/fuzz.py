"""Fuzz what reads foreign bytes, guided by coverage (docs/fuzzing.md).

    fuzz.py                          a minute for each target, as many at once as processors
    fuzz.py --seconds 3600 web telnet

An input that fails ends it; it is written to the current folder, and belongs into the corpus.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "tests" / "data" / "fuzz"
sys.path.insert(0, str(ROOT / "tests" / "fuzz"))
NAMES = sorted(folder.name for folder in CORPUS.iterdir())


def main() -> int:
    """Run; 1 when an input fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", default=NAMES, help="which; without any: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        _fuzz(args.inside, args.targets)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failed = pool.map(lambda name: _run(name, args.seconds), args.targets)
        return int(any(list(failed)))


def _run(name: str, seconds: int) -> bool:
    """Fuzz one target in a process of its own; whether something failed."""
    with tempfile.TemporaryDirectory() as work:
        said = _call(name, f"-max_total_time={seconds}", "-timeout=20", work, str(CORPUS / name))
        done = re.search(r"Done (\d+) runs in (\d+)", said)
        if done is None:
            print(f"{name}: FAILED\n" + said[-4000:], flush=True)
            return True
        print(f"{name}: {done[1]} inputs in {done[2]} s, none failed", flush=True)
    return False


def _call(name: str, *words: str) -> str:
    command = [sys.executable, __file__, "--inside", name, "--", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode(errors="replace")


def _fuzz(name: str, words: list[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=["cccamd"]):
        from fuzztargets import TARGETS
    TARGETS[name](b"")  # what is made once
    atheris.Setup([name, "-max_len=2048", "-print_final_stats=1", *words], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
