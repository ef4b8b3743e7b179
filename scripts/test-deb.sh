#!/bin/sh
# Install the package in a clean Debian 12 with a systemd of its own, log in, upgrade, remove,
# purge: nothing may be left. All of it in namespaces; this machine is not touched.
#
#     scripts/test-deb.sh [PACKAGE]      else the one that `make deb` has built
#
# The clean system is made once and kept in build/debian12.tar. Exit status 3: a tool is missing.
set -eu
cd "$(dirname "$0")/.."
missing() { echo "test-deb: $1: the package is not tried" >&2; exit 3; }
[ "$(id -u)" = 0 ] || missing "only root makes a clean system"
for tool in mmdebstrap unshare nsenter; do
    command -v $tool >/dev/null || missing "$tool is not here"
done
package=${1:-$(ls build/deb/cccamd_*.deb)}

clean=build/debian12.tar
if [ ! -s $clean ]; then
    mkdir -p build
    mmdebstrap --quiet --format=tar --variant=minbase --include=systemd,systemd-sysv,python3,adduser \
        --dpkgopt='path-exclude=/usr/share/doc/*' --aptopt='APT::Install-Recommends "false"' \
        bookworm $clean.new || { rm -f $clean.new; missing "no Debian 12 is to be had"; }
    mv $clean.new $clean
fi

work=$(mktemp -d)
booted=
finish() {
    [ -z "$booted" ] || { kill -KILL "$booted" 2>/dev/null && wait "$booted" 2>/dev/null; } || :
    rm -rf --one-file-system "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM
root=$work/root
mkdir "$root"
tar xf $clean -C "$root"
cp "$package" "$root/root/cccamd.deb"

cat >"$work/boot.sh" <<'END'
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
END
unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup \
    sh "$work/boot.sh" "$root" >"$work/boot.log" 2>&1 </dev/null &
booted=$!

inside() {
    nsenter --all --target "$first" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@" </dev/null
}
fail() {
    echo "test-deb: $1" >&2
    cat "$work/boot.log" "$work/said" >&2 2>/dev/null || :
    inside journalctl --no-pager -n 30 -u cccamd >&2 || :
    exit 1
}
must() { # WHAT COMMAND...
    what=$1
    shift
    inside "$@" >"$work/said" 2>&1 || fail "$what: $*"
}

# `is-system-running --wait` waits by itself, once there is a systemd to ask.
first=
for _ in $(seq 300); do
    first=$(cat "/proc/$booted/task/$booted/children" 2>/dev/null || :)
    first=${first% }
    if [ -n "$first" ] && [ "$(cat "/proc/$first/comm")" = systemd ] &&
        inside test -S /run/systemd/private; then break; fi
    sleep 0.1
done
inside systemctl is-system-running --wait >/dev/null 2>&1 || :

must "it does not install" dpkg -i /root/cccamd.deb
must "it does not serve" systemctl is-active cccamd
must "nobody may read the accounts but root and the service" \
    sh -c 'stat -c %U:%G:%a /etc/cccam /etc/cccam/CCcam.cfg | tr "\n" " " |
        grep -x "root:cccamd:770 cccamd:cccamd:640 "'
must "the unit is not what cccamd install writes" \
    grep -q "^ExecStart=/usr/bin/cccamd serve -C /etc/cccam/CCcam.cfg$" /lib/systemd/system/cccamd.service
must "it is not compiled" sh -c 'ls /usr/lib/cccamd/lib/python3*/site-packages/cccamd/__pycache__/*.pyc'
must "no manual page" test -s /usr/share/man/man1/cccamd-serve.1.gz
must "no completion" test -s /usr/share/bash-completion/completions/cccamd
must "no account can be added" sh -c 'echo secret | cccamd account add anna --ask --no-qr'
must "a receiver cannot log in" cccamd probe 127.0.0.1 12000 anna secret
must "messages cannot be sent" /usr/lib/cccamd/bin/python3 -c "import apprise"
must "cccamd install does it once more" sh -c '! cccamd install --yes'
inside cat /var/lib/cccamd/node-id >"$work/node-id"
must "it does not upgrade" dpkg -i --force-confold /root/cccamd.deb
must "it does not serve after an upgrade" systemctl is-active cccamd
must "an upgrade loses accounts" cccamd probe 127.0.0.1 12000 anna secret
inside cat /var/lib/cccamd/node-id | cmp -s - "$work/node-id" || fail "an upgrade loses the node id"
must "it cannot be removed" dpkg -r cccamd
must "removing it takes accounts away" grep -q "F: anna secret" /etc/cccam/CCcam.cfg
must "removing it leaves a server" sh -c '! systemctl is-active cccamd'
must "removing it leaves the program" test ! -e /usr/lib/cccamd
must "it cannot be purged" dpkg -P cccamd
must "it leaves something" \
    sh -c 'found=$(find / -xdev -iname "*cccam*" ! -path "/root/*"); echo "$found"; [ -z "$found" ]'
must "it leaves its user" sh -c '! getent passwd cccamd && ! getent group cccamd'
echo "test-deb: installed, served a client, upgraded, removed and purged in a clean Debian 12"
