#!/bin/sh
# Install the package in a clean Debian 12 with a systemd of its own, log in, upgrade, remove,
# purge: nothing may be left. All of it in namespaces; this machine is not touched.
#
#     scripts/test-deb.sh [PACKAGE]      else the one that `make deb` has built
#
# Exit status 3: a tool is missing.
set -eu
cd "$(dirname "$0")/.."
. scripts/cleandebian.sh
package=${1:-$(ls build/deb/cccamd_*.deb)}

clean_debian test-deb
cp "$package" "$root/root/cccamd.deb"
boot

must "it does not install" dpkg -i /root/cccamd.deb
must "it does not serve" systemctl is-active cccamd
must "nobody may read the accounts but root and the service" \
    sh -c 'stat -c %U:%G:%a /etc/cccam /etc/cccam/CCcam.cfg | tr "\n" " " |
        grep -x "root:cccamd:770 cccamd:cccamd:640 "'
must "the unit is not what cccamd install writes" \
    grep -q "^ExecStart=/usr/bin/cccamd serve -C /etc/cccam/CCcam.cfg$" /lib/systemd/system/cccamd.service
must "it is not the compiled flavour" sh -c 'cccamd --version | grep compiled'
must "its modules were not compiled when it was installed" sh -c 'ls /usr/lib/cccamd/lib/python3*/site-packages/cccamd/__pycache__/*.pyc'
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
must "no file can be put beside them" sh -c 'cd /etc/cccam && echo mine >names && chown cccamd:cccamd names'
must "it cannot be purged" dpkg -P cccamd
must "it takes away a file that is not its own" grep -x mine /etc/cccam/names
must "a later user could read what stays" \
    sh -c 'stat -c %U:%G:%a /etc/cccam | grep -x root:root:700'
inside rm -r /etc/cccam
must "it leaves something" \
    sh -c 'found=$(find / -xdev -iname "*cccam*" ! -path /root/cccamd.deb); echo "$found"; [ -z "$found" ]'
must "it leaves its user" sh -c '! getent passwd cccamd && ! getent group cccamd'
echo "test-deb: installed, served a client, upgraded, removed and purged in a clean Debian 12"
