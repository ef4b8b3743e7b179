#!/bin/sh
# Build the wheel twice, in folders, at times and with rights of their own; it must be the same file
# both times, and carry its bill of materials. What is in git is built, and nothing else.
#
#     scripts/wheel.sh [FOLDER]      keeps the wheel there
set -eu
cd "$(dirname "$0")/.."
python="$PWD/.venv/bin/python"
"$python" scripts/sbom.py --check
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

build() {
    mkdir -p "$work/$1/source" "$work/$1/built"
    git ls-files -z | xargs -0 tar cf - | tar xf - -C "$work/$1/source"
    (umask "$2" && cd "$work/$1/source" && find . -exec touch -d "$3" {} + &&
        "$python" -m hatchling build -t wheel -d "$work/$1/built" >"$work/log" 2>&1) ||
        { cat "$work/log" >&2; exit 1; }
}

build one 022 2001-02-03
build elsewhere/and/deeper 077 2022-11-12
first=$(cd "$work/one/built" && sha256sum ./*.whl)
second=$(cd "$work/elsewhere/and/deeper/built" && sha256sum ./*.whl)
if [ "$first" != "$second" ]; then
    echo "wheel: built twice, two files:" "$first" "$second" >&2
    exit 1
fi
unzip=$("$python" -m zipfile -l "$work"/one/built/*.whl)
case $unzip in
*.dist-info/sboms/cccamd.cdx.json*) ;;
*) echo "wheel: no bill of materials in it" >&2; exit 1 ;;
esac
if [ $# -gt 0 ]; then mkdir -p "$1" && cp "$work"/one/built/*.whl "$1"; fi
echo "wheel: the same twice, bill of materials in it: $first"
