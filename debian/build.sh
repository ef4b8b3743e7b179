#!/bin/sh
# Make the environment that the package holds, its unit and its first CCcam.cfg.
#
#     debian/build.sh FOLDER
set -eu
target=$1
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_NO_COMPILE=1
unset PYTHONPATH PYTHONHOME
python=/usr/bin/python3
rm -rf "$target" build/tools
"$python" -m venv build/tools
# The compiled flavour; what compiles it has to see the types of what a server runs on.
"$python" scripts/locked.py build compile server >build/tools/build.txt
build/tools/bin/pip install --quiet --require-hashes -r build/tools/build.txt
CCCAMD_COMPILE=must build/tools/bin/python -m hatchling build -t wheel -d build/tools/wheels

"$python" -m venv --without-pip "$target"
"$python" scripts/locked.py server rc4 notify >build/tools/server.txt
into="build/tools/bin/pip --python $target/bin/python3 install --quiet"
$into --require-hashes --only-binary :all: -r build/tools/server.txt
$into --no-deps build/tools/wheels/cccamd-*.whl

# Where it will lie, and nothing of where it was built.
home=/usr/lib/cccamd
for name in "$target"/bin/*; do
    case ${name##*/} in
    python*) ;;
    cccamd | CCcam) sed -i "1s|.*|#!$home/bin/python3|" "$name" ;;
    *) rm "$name" ;;
    esac
done
sed -i '/^command = /d' "$target/pyvenv.cfg"
rm -rf "$target/include" "$target/share"
find "$target" -name direct_url.json -delete
find "$target" -name '*.pyx' -delete
find "$target" -name '*.pxd' -delete
# PyYAML does without its copy of libyaml, and is asked for next to nothing (`[notify]`).
find "$target" -name '_yaml.*.so' -delete
find "$target/lib" -type f -exec chmod 644 {} +
# Nothing below lib is started by its name.
find "$target/lib" -name '*.py' -exec sed -i '1s|^#!.*|#|' {} +

"$target/bin/python3" - <<'END'
from pathlib import Path, PurePosixPath
from cccamd.service.plan import first_config, unit_text

program, config = PurePosixPath("/usr/bin/cccamd"), PurePosixPath("/etc/cccam/CCcam.cfg")
Path("debian/cccamd.service").write_text(unit_text(program, config))
Path("debian/CCcam.cfg").write_text(first_config())
END
find "$target" -name __pycache__ -type d -prune -exec rm -rf {} +
