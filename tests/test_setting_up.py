"""`make setup`: what it shows, and what it says when something is in its way."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pip
import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "scripts"
NOWHERE = "http://127.0.0.1:9"
"""Where nobody listens: the port is reserved for what throws everything away."""
REFUSED = (
    "WARNING: Retrying (Retry(total={left}, connect=None)) after connection broken by"
    " 'ProxyError('Cannot connect to proxy.', NewConnectionError('<HTTPSConnection object at"
    " {left}>: Failed to establish a new connection: [Errno 111] Connection refused'))':"
    " /simple/{name}/\n"
)
SLOW = (
    "WARNING: Retrying (Retry(total=4)) after connection broken by 'ReadTimeoutError(\"HTTPS"
    "ConnectionPool(host='pypi.org', port=443): Read timed out. (read timeout=15)\")': /simple/x/\n"
)


def shown(said: str) -> list[str]:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from install_locked import *; show(steps(sys.stdin, 3))",
        ],
        input=said,
        cwd=SCRIPTS,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr.splitlines()


def test_each_package_is_shown_once() -> None:
    """What pip says, of the index and of files that lie here, with what nobody wants to see."""
    assert shown(
        "WARNING: Location 'file:///nowhere/' is ignored: it is neither a file nor a directory.\n"
        "Collecting anyio==4.16.0 (from -r /tmp/list.txt (line 5))\n"
        "  Downloading anyio-4.16.0-py3-none-any.whl (114 kB)\n"
        "Processing /srv/wheels/typing_extensions-4.16.0-py3-none-any.whl (from -r /tmp/list.txt)\n"
        "Requirement already satisfied: anyio==4.16.0 in /srv/lib (from -r /tmp/list.txt)\n"
        "Ignoring colorama: markers 'sys_platform == \"win32\"' don't match your environment\n"
        "Installing collected packages: anyio, typing-extensions\n"
    ) == [
        "setup: 1 of 3: anyio",
        "setup: 2 of 3: typing-extensions",
        "setup: 3 of 3: colorama",
        "setup: unpacking them",
    ]


def test_waiting_is_shown_once_until_something_comes() -> None:
    refused = "".join(REFUSED.format(left=left, name="anyio") for left in (4, 3, 2))
    waiting = "setup: waiting for the index of packages: [Errno 111] Connection refused"
    assert shown(f"Collecting h11\n{refused}Collecting anyio\n{refused}") == [
        "setup: 1 of 3: h11",
        waiting,
        "setup: 2 of 3: anyio",
        waiting,
    ]
    assert shown(SLOW) == [
        "setup: waiting for the index of packages: Read timed out. (read timeout=15)"
    ]


def test_an_index_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    """pip itself, in a fresh environment, with a proxy that is dead."""
    fresh = [sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"]
    subprocess.run(fresh, check=True)
    (packages,) = (tmp_path / "venv").glob("lib/*/site-packages")
    (packages / "pip").symlink_to(Path(pip.__file__).parent)  # unpacking it takes ten seconds
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "2"}
    done = subprocess.run(
        [tmp_path / "venv" / "bin" / "python", SCRIPTS / "install_locked.py", "server"],
        env={**kept, **settings, "https_proxy": NOWHERE, "http_proxy": NOWHERE},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr.count("waiting for the index of packages") == 1, done.stderr
    assert done.stderr.count("Retrying") == 1
    assert (
        done.stderr.rstrip()
        .splitlines()[-1]
        .startswith(
            "setup: the index of packages cannot be reached: look at the network of this machine"
        )
    )


# Packages of Debian, by the real apt-get on a system of its own.


@pytest.fixture
def apt(tmp_path: Path) -> dict[str, str]:
    """The environment in which apt-get sees a Debian that has one package, and dead sources."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        pytest.skip("apt-get, and root to run it, are not here")
    for folder in ("state/lists/partial", "cache/archives/partial", "etc", "dpkg"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "dpkg/status").write_text(
        "Package: tool\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"
        "Maintainer: nobody <nobody@localhost>\nDescription: a tool\n\n"
    )
    (tmp_path / "etc/sources.list").write_text(
        f"deb [trusted=yes] {NOWHERE}/debian bookworm main\n"
    )
    (tmp_path / "apt.conf").write_text(
        f'Dir "{tmp_path}";\nDir::State "state";\nDir::State::status "{tmp_path}/dpkg/status";\n'
        'Dir::Cache "cache";\nDir::Etc "etc";\nDir::Etc::parts "none";\nAcquire::Retries "0";\n'
        'APT::Sandbox::User "root";\n'
    )
    return {**os.environ, "APT_CONFIG": str(tmp_path / "apt.conf")}


def install(package: str, environment: dict[str, str], wait: int = 60) -> subprocess.Popen[str]:
    order = f'say() {{ echo "setup: $*" >&2; }}; . {SCRIPTS}/debian.sh; debian {package}'
    return subprocess.Popen(
        ["sh", "-euc", order],
        env={**environment, "WAIT": str(wait)},
        stderr=subprocess.PIPE,
        text=True,
    )


def lock(tmp_path: Path) -> subprocess.Popen[str]:
    """Another process that installs packages, as far as apt-get can see."""
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys\nlock = open(sys.argv[1], 'w')\nfcntl.lockf(lock, fcntl.LOCK_EX)\n"
            "print('held', flush=True)\nsys.stdin.read()",
            tmp_path / "dpkg" / "lock-frontend",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_locked_apt_is_waited_for_and_told(tmp_path: Path, apt: dict[str, str]) -> None:
    with lock(tmp_path) as holder, install("tool", apt) as setup:
        assert setup.stderr is not None
        assert setup.stderr.readline() == "setup: installing tool of Debian\n"
        assert setup.stderr.readline() == (
            "setup: somebody else installs packages of Debian just now; waiting, 60 s at most\n"
        )
        time.sleep(3)  # one more look at least
        assert setup.poll() is None
        holder.communicate("")
        assert setup.wait(timeout=30) == 0
        assert setup.stderr.read() == "", "told once"


def test_a_lock_that_stays_is_named(tmp_path: Path, apt: dict[str, str]) -> None:
    with lock(tmp_path) as holder, install("tool", apt, wait=2) as setup:
        _, said = setup.communicate(timeout=30)
        holder.communicate("")
    assert setup.returncode == 1
    assert "Could not get lock" in said
    assert said.splitlines()[-1] == (
        "setup: please run as root: apt-get update; apt-get install tool"
    )


def test_who_may_not_install_is_told_what_is_missing(tmp_path: Path) -> None:
    """Without the right, and without a sudo that gives it unasked."""
    sudo = tmp_path / "sudo"
    sudo.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    sudo.chmod(0o755)
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    with install("tool", {**os.environ, "PATH": path}) as setup:
        _, said = setup.communicate(timeout=30)
    assert setup.returncode == 1
    assert said == (
        "setup: tool of Debian is missing; please run as root:"
        " apt-get update; apt-get install tool\n"
    )


def test_sources_that_cannot_be_reached_are_named(apt: dict[str, str]) -> None:
    with install("another", apt) as setup:
        _, said = setup.communicate(timeout=60)
    assert setup.returncode == 1
    assert "setup: the sources of packages cannot be reached: Failed to fetch http://127.0" in said
    assert "Unable to locate" not in said, "that is the second thing"
