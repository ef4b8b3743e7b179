#!/bin/sh
# Build the package for Debian, of what is in git and nothing else, and have lintian look at it.
#
#     scripts/deb.sh [FOLDER]      puts the package there, else into build/deb
set -eu
cd "$(dirname "$0")/.."
for tool in dpkg-buildpackage dh lintian; do
    command -v $tool >/dev/null || {
        echo "deb: $tool is not here (apt-get install build-essential debhelper lintian): nothing is built" >&2
        exit 3
    }
done
dpkg-checkbuilddeps debian/control || {
    echo "deb: that is missing (apt-get install build-essential debhelper python3-dev): nothing is built" >&2
    exit 3
}
/usr/bin/python3 -c 'import ensurepip, venv' 2>/dev/null || {
    echo "deb: Debian's Python or python3-venv is not here: nothing is built" >&2
    exit 3
}
out=${1:-build/deb}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
mkdir "$work/cccamd"
git ls-files -z | xargs -0 tar cf - | tar xf - -C "$work/cccamd"
(cd "$work/cccamd" && dpkg-buildpackage --build=binary --no-sign >"$work/log" 2>&1) ||
    { tail -40 "$work/log" >&2; exit 1; }
rm -f "$out"/cccamd_*
cp "$work"/cccamd_* "$out"
# As root it would complain of that.
lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$out"/cccamd_*.changes
echo "deb: $(cd "$out" && ls cccamd_*.deb), lintian has nothing to say: $(du -h "$out"/cccamd_*.deb | cut -f1)"
