#!/bin/sh
# Put into .venv what somebody needs, in the versions of requirements.lock:
#
#     scripts/setup.sh server      what a server runs on
#     scripts/setup.sh demo        what the demonstration needs, too: libdvbcsa of Debian with it
#     scripts/setup.sh develop     everything: tests, checks, figures
#
# What is there already stays.
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup: $*" >&2; }
. scripts/debian.sh

# A lighter RC4, where there are wheels of it (pyproject.toml).
rc4=$(getconf GNU_LIBC_VERSION >/dev/null 2>&1 && echo rc4 || :)
case ${1:-} in
server) locked="server build $rc4" upto="server" ;;
demo) locked="server build demo $rc4" upto="server demo" ;;
develop) locked="develop" upto="server demo develop" ;;
*) say "what is to be set up: server, demo or develop?"; exit 2 ;;
esac

if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    say "Python 3.11 or later is needed; python3 here is $(python3 --version 2>&1)"
    exit 1
fi
if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    say "making a virtual environment in .venv"
    rm -rf .venv
    python3 -m venv .venv >/dev/null 2>&1 ||
        { rm -rf .venv; debian python3-venv; python3 -m venv .venv; }
fi
# shellcheck disable=SC2086 # words
.venv/bin/python scripts/install_locked.py $locked
say "installing cccamd itself"
.venv/bin/pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
env -u PYTHONDONTWRITEBYTECODE .venv/bin/python scripts/compile_used.py
case $upto in *demo*)
    .venv/bin/python -c 'import ctypes; ctypes.CDLL("libdvbcsa.so.1")' 2>/dev/null ||
        debian libdvbcsa1 || say "only the demonstration needs it; the rest works"
    ;;
esac
for each in $upto; do touch ".venv/ready-$each"; done
say "ready: .venv/bin/cccamd ($(du -sh .venv | cut -f1))"
