#!/bin/sh
# Put everything that cccamd's users and developers need into .venv, and what Debian has
# for it onto the machine, where that is allowed.
set -eu
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# debian PACKAGE: install it, or say what somebody must do.
debian() {
    if as_root apt-get install -y "$1" >/dev/null 2>&1; then return 0; fi
    if as_root apt-get update >/dev/null 2>&1 && as_root apt-get install -y "$1" >/dev/null 2>&1
    then return 0; fi
    echo "setup: please run as root: apt-get install $1" >&2
    return 1
}

if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "setup: Python 3.11 or later is needed; python3 here is $(python3 --version 2>&1)" >&2
    exit 1
fi
say() { echo "setup: $*" >&2; }

if [ ! -x .venv/bin/pip ]; then
    say "making a virtual environment in .venv"
    rm -rf .venv
    python3 -m venv .venv >/dev/null 2>&1 || { rm -rf .venv; debian python3-venv; python3 -m venv .venv; }
fi
say "installing the locked packages, those of developers too; this takes a minute"
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
say "installing cccamd itself"
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
if ! .venv/bin/python -c 'import ctypes; ctypes.CDLL("libdvbcsa.so.1")' 2>/dev/null; then
    debian libdvbcsa1 || echo "setup: only the demonstration needs it; the rest works" >&2
fi
touch .venv/ready
say "ready: .venv/bin/cccamd"
