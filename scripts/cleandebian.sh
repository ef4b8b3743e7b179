# shellcheck shell=sh
# A clean Debian 12 with a systemd of its own, in namespaces; this machine is not touched. To be read
# by scripts that try an installation, as root, from the root of the repository:
#
#     . scripts/cleandebian.sh
#     clean_debian NAME [PACKAGE...]   unpacks one at $root; NAME is that of the script, for messages
#     boot                             starts its systemd, with a network that is its loopback alone
#     inside COMMAND...                runs something in it
#     must WHAT COMMAND...             the same, but ends with the reason and the log if it fails
#
# The clean system is made once for each list of packages and kept in build/. $work is a folder that
# goes when the script ends. Exit status 3: a tool or Debian is missing, which is said.

missing() { echo "$name: $1: nothing is tried" >&2; exit 3; }

debian_tar() { # FILE PACKAGES, with commas; the file is $clean then
    clean=$1
    [ -s "$clean" ] && return
    mkdir -p build
    mmdebstrap --quiet --format=tar --variant=minbase ${2:+"--include=$2"} \
        --dpkgopt='path-exclude=/usr/share/doc/*' --aptopt='APT::Install-Recommends "false"' \
        bookworm "$clean.new" || { rm -f "$clean.new"; missing "no Debian 12 is to be had"; }
    mv "$clean.new" "$clean"
}

clean_debian() {
    name=$1
    shift
    [ "$(id -u)" = 0 ] || missing "only root makes a clean system"
    for tool in mmdebstrap unshare nsenter; do
        command -v $tool >/dev/null || missing "$tool is not here"
    done
    debian_tar "build/debian12$(printf -- '-%s' "$@" | sed 's/^-$//').tar" \
        "$(IFS=,; echo "systemd,systemd-sysv,python3,adduser${*:+,$*}")"
    work=$(mktemp -d)
    booted= first= cgroup=
    trap finish EXIT
    trap 'exit 1' INT TERM
    root=$work/root
    mkdir "$root"
    tar xf "$clean" -C "$root"
}

finish() {
    [ -z "$booted" ] || { kill -KILL "$booted" 2>/dev/null && wait "$booted" 2>/dev/null; } || :
    for _ in $(seq 50); do
        [ -n "$cgroup" ] && [ -d "$cgroup" ] || break
        find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
    done
    rm -rf --one-file-system "$work"
}

boot() {
    cat >"$work/boot.sh" <<'END_OF_BOOT'
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for folder in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs $folder; done
chmod 1777 tmp
mkdir dev/pts dev/shm
for device in null zero full random urandom tty; do
    touch dev/$device
    mount --bind /dev/$device dev/$device
done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx # PrivateDevices= asks for it
for link in fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
    target=${link#*:}
    ln -s "/proc/self/${target#/}" "dev/${link%%:*}"
done
ip link set lo up
hostname clean
mkdir outside
pivot_root . outside
umount -l /outside
rmdir /outside
exec env -i container=cccamd PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=no
END_OF_BOOT
    # A group of its own: two of them would end each other's services.
    cgroup=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET) || missing "cgroup2 is not here"
    cgroup=$cgroup/cccamd-${work##*.}
    mkdir "$cgroup" || missing "no control group can be made"
    # shellcheck disable=SC2016 # the inner shell's
    sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup" unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup \
        sh "$work/boot.sh" "$root" >"$work/boot.log" 2>&1 </dev/null &
    booted=$!
    # `is-system-running --wait` waits by itself, once there is a systemd to ask.
    for _ in $(seq 300); do
        first=$(cat "/proc/$booted/task/$booted/children" 2>/dev/null || :)
        first=${first% }
        if [ -n "$first" ] && [ "$(cat "/proc/$first/comm")" = systemd ] &&
            inside test -S /run/systemd/private; then break; fi
        sleep 0.1
    done
    inside systemctl is-system-running --wait >/dev/null 2>&1 || :
}

inside() {
    nsenter --all --target "$first" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@" </dev/null
}

fail() {
    echo "$name: $1" >&2
    cat "$work/boot.log" "$work/said" >&2 2>/dev/null || :
    [ -z "$first" ] || inside journalctl --no-pager -n 30 -u cccamd >&2 || :
    exit 1
}

must() { # WHAT COMMAND...
    what=$1
    shift
    inside "$@" >"$work/said" 2>&1 || fail "$what: $*"
}
