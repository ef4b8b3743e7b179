#!/bin/sh
# Put the compiled flavour into .venv-compiled: the wheel of these sources, compiled, on the
# packages of .venv (docs/compiled.md).
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
CCCAMD_COMPILE=must .venv/bin/python -m hatchling build -t wheel -d "$work" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }
python3 -m venv --clear --without-pip .venv-compiled
site=$(.venv-compiled/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# A folder that a .pth file names is only searched: what makes .venv find src/ has no effect here.
.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$site/packages-of-venv.pth"
.venv/bin/pip --python .venv-compiled install --quiet --disable-pip-version-check --no-deps \
    --ignore-installed "$work"/*.whl
touch .venv-compiled/ready
