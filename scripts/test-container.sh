#!/bin/sh
# Build the container file and use what comes out: health, a client, a reload, an end, a next
# container with the same volume. No registry is asked: the base is a clean Debian 12 of mmdebstrap.
# Images, containers and volumes lie in a folder of their own, which goes in the end; the containers
# run in namespaces of their own. This takes minutes and 2 GB, for each layer is a whole copy (vfs).
#
#     scripts/test-container.sh
#
# Exit status 3: a tool or Debian is missing.
set -eu
cd "$(dirname "$0")/.."
. scripts/cleandebian.sh
name=test-container
[ "$(id -u)" = 0 ] || missing "only root makes a clean system"
for tool in mmdebstrap buildah podman crun unshare; do
    command -v $tool >/dev/null || missing "$tool is not here"
done
debian_tar build/debian12-slim.tar ""

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM
places="--root $work/storage --runroot $work/run --storage-driver vfs"
podman="podman $places --cgroup-manager cgroupfs"

# A certificate that pip needs on this machine, for the time of building.
set --
certificate=${PIP_CERT:-$(.venv/bin/pip config get global.cert 2>/dev/null || :)}
if [ -n "$certificate" ]; then
    printf '[global]\ncert = /run/pip.pem\n' >"$work/pip.conf"
    set -- --volume "$certificate:/run/pip.pem:ro" --volume "$work/pip.conf:/etc/pip.conf:ro"
fi
$podman import "$PWD/$clean" debian >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
# shellcheck disable=SC2086 # words
buildah $places bud --isolation chroot --format docker --build-arg BASE=localhost/debian "$@" \
    -f contrib/container/Containerfile -t cccamd . >"$work/said" 2>&1 ||
    { tail -30 "$work/said" >&2; echo "$name: it is not built" >&2; exit 1; }
! grep -i warning "$work/said" || { echo "$name: it is built with a warning" >&2; exit 1; }

cat >"$work/use.sh" <<'END'
set -eu
fail() { echo "test-container: $1" >&2; cat said >&2; $podman logs house >&2 || :; exit 1; }
must() { what=$1; shift; "$@" >said 2>&1 || fail "$what: $*"; }
# Where a machine mixes both kinds of control groups crun does not start.
[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
start() {
    # Without any right, on a root file system that cannot be written.
    must "it does not start" $podman run -d --name house --network host --cgroups disabled \
        --ulimit nofile=4096:4096 --ulimit nproc=4096:4096 --read-only --cap-drop all \
        --security-opt no-new-privileges -v ./cccam:/etc/cccam:ro -v state:/var/lib/cccamd cccamd
    for _ in $(seq 100); do
        if $podman healthcheck run house >said 2>&1; then return; fi
        sleep 0.2
    done
    fail "it does not become healthy"
}
mkdir cccam
echo "F: anna secret" >cccam/CCcam.cfg
echo "ALLOW WEBINFO: no" >>cccam/CCcam.cfg
chown -R 12000:12000 cccam
start
must "root is in it" sh -c "$podman exec house id -u | grep -x 12000"
must "what builds it is in it" sh -c "! $podman exec house sh -c 'command -v pip || command -v gcc ||
    ls -d /source /tools || ls /var/lib/apt/lists | grep .'"
must "it is not compiled" $podman exec house sh -c 'ls /usr/lib/cccamd/lib/python3*/site-packages/cccamd/__pycache__/*.pyc'
must "a receiver cannot log in" "$cccamd" probe 127.0.0.1 12000 anna secret
echo "F: bert hidden" >>cccam/CCcam.cfg
must "it takes no orders" $podman exec house cccamd reload
must "a new account cannot log in" "$cccamd" probe 127.0.0.1 12000 bert hidden
must "it cannot be frozen" $podman kill --signal STOP house
must "it counts as healthy when it is frozen" sh -c "! timeout 60 $podman healthcheck run house"
must "it cannot be thawed" $podman kill --signal CONT house
node_id=$($podman exec house cat /var/lib/cccamd/node-id)
must "it does not stop" $podman stop --time 20 house
must "SIGTERM does not end it well" sh -c "$podman inspect house --format '{{.State.ExitCode}}' | grep -x 0"
must "it counts as healthy when it is away" sh -c "! $podman healthcheck run house"
must "it cannot be removed" $podman rm house
start
[ "$($podman exec house cat /var/lib/cccamd/node-id)" = "$node_id" ] || fail "the next one is another server"
must "the next one does not stop" $podman stop --time 20 house
must "the next one cannot be removed" $podman rm house
must "its volume cannot be removed" $podman volume rm state
must "something is left" sh -c "[ -z \"\$($podman ps -aq)\$($podman volume ls -q)\" ]"
END
(cd "$work" && podman=$podman cccamd=$OLDPWD/.venv/bin/cccamd \
    unshare --mount --net --pid --fork --kill-child --mount-proc sh use.sh)
size() { $podman image inspect "$1" --format '{{.Size}}'; }
added=$((($(size cccamd) - $(size debian)) / 1000000))
[ "$added" -le 160 ] || { echo "$name: it adds $added MB to Debian" >&2; exit 1; }
echo "$name: built, $added MB on top of Debian, healthy, served a client, reloaded, stopped, started again"
