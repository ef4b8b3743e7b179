#!/bin/sh
# Install the wheel with pip in a clean Debian 12 with a systemd of its own, make it a service with
# `cccamd install`, log in, reload, crash, upgrade, uninstall: nothing may be left, and what somebody
# wrote must stay. All of it in namespaces; this machine is not touched.
#
#     scripts/test-install.sh
#
# Exit status 3: a tool, Debian or a package of Python is missing.
set -eu
cd "$(dirname "$0")/.."
. scripts/cleandebian.sh

clean_debian test-install python3-venv
wheels=$root/root/wheels
sh scripts/wheel.sh "$wheels" >"$work/said" 2>&1 || fail "there is no wheel"
# What the server needs, for Debian's Python: the clean system has no network.
python3 scripts/locked.py server rc4 >"$work/server.txt"
.venv/bin/pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary :all: --python-version 3.11 --dest "$wheels" -r "$work/server.txt" \
    >"$work/said" 2>&1 || { tail -3 "$work/said" >&2; missing "no packages of Python are to be had"; }

# Every file with its kind, owner, rights, target and content, but for the diary of the system.
cat >"$root/root/everything" <<'END'
find / -xdev \( -path /root/wheels -o -path /var/log/journal -o -path /var/lib/systemd \) -prune -o \
    -not -name '*.pyc' -not -name __pycache__ -printf '%p %y %U:%G %m %l\n' | sort
find /etc /opt /root /srv /usr/local /var -xdev -type f -not -path '/var/log/journal/*' \
    -not -path '/var/lib/systemd/*' -not -path '/root/wheels/*' \
    -not -regex '/etc/\(passwd\|shadow\|group\|gshadow\)-' -exec md5sum {} + | sort -k 2
END
boot
# Whoever adds a user leaves copies of the lists as they were: there are some before, too, then.
must "no user can be added" sh -c 'useradd --system once && userdel once'
inside sh /root/everything >"$work/before"

cccamd=/opt/cccamd/bin/cccamd
must "Python makes no environment" python3 -m venv /opt/cccamd
must "pip does not install it" sh -c \
    '/opt/cccamd/bin/pip install --quiet --no-index --find-links /root/wheels /root/wheels/cccamd-*.whl'
# As the guide has it: first by hand, as root, whose files the service then has to take over.
must "it does not run by hand" sh -c "mkdir /etc/cccam && echo 'F: carla first' >/etc/cccam/CCcam.cfg &&
    { timeout 20 $cccamd serve & } && for _ in \$(seq 100); do sleep 0.1; test -s /var/lib/cccamd/node-id && break; done
    $cccamd probe 127.0.0.1 12000 carla first; said=\$?; kill \$! && wait; exit \$said"
inside cat /var/lib/cccamd/node-id >"$work/node-id"
must "a look at what it would do does something" sh -c "$cccamd install --dry-run && ! getent passwd cccamd"
must "it does not become a service" $cccamd install --yes
must "it does not serve" systemctl is-active cccamd
must "a receiver of before cannot log in" $cccamd probe 127.0.0.1 12000 carla first
inside cat /var/lib/cccamd/node-id | cmp -s - "$work/node-id" || fail "the service is another server"
must "it does not start with the machine" systemctl is-enabled cccamd
must "it is rated worse than 1.5" systemd-analyze security --no-pager --threshold=15 cccamd
must "it runs as somebody else" \
    sh -c 'stat -c %U:%G "/proc/$(systemctl show --value -p MainPID cccamd)" | grep -x cccamd:cccamd'
must "nobody may read the accounts but root and the service" \
    sh -c 'stat -c %U:%G:%a /etc/cccam /etc/cccam/CCcam.cfg /var/lib/cccamd | tr "\n" " " |
        grep -x "root:cccamd:770 cccamd:cccamd:640 cccamd:cccamd:700 "'
must "no account can be added" sh -c "echo secret | $cccamd account add anna --ask --no-qr"
must "a receiver cannot log in" $cccamd probe 127.0.0.1 12000 anna secret
must "cccamd status does not reach it" sh -c "$cccamd status --json | grep -q '\"accounts\"'"

# Changes of the person who runs it.
must "it does not take up a changed file" sh -c \
    "echo 'F: bert hidden' >>/etc/cccam/CCcam.cfg && $cccamd reload && $cccamd probe 127.0.0.1 12000 bert hidden"
must "systemctl does not reload it" systemctl reload cccamd
must "a file that cannot be read passes" sh -c "cd /etc/cccam && cp -p CCcam.cfg mine &&
    printf '\\377\\376' >CCcam.cfg && ! $cccamd reload"
must "a file that cannot be read ends it" $cccamd probe 127.0.0.1 12000 anna secret
must "it starts without a file that can be read, or tries for ever" sh -c \
    '! systemctl restart cccamd && systemctl show --value -p SubState cccamd | grep -x failed'
must "it does not start with a mended file" sh -c \
    'cd /etc/cccam && mv mine CCcam.cfg && printf "# mine\n[[card]]\nkind = \"test\"\ncaid = \"7F00\"\n" >cccamd.toml && systemctl start cccamd'
must "a crash ends it for good" sh -c 'systemctl kill --signal=SEGV cccamd
    for _ in $(seq 150); do
        sleep 0.1
        systemctl is-active cccamd && [ "$(systemctl show --value -p NRestarts cccamd)" = 1 ] && exit 0
    done
    exit 1'
must "the doctor finds an illness" $cccamd doctor
must "it cannot be backed up" $cccamd backup /root/cccamd.tar

# The next version.
must "pip does not upgrade it" sh -c \
    '/opt/cccamd/bin/pip install --quiet --no-index --no-deps --force-reinstall /root/wheels/cccamd-*.whl'
must "an upgrade does not become the service" $cccamd install --yes
must "it does not serve after an upgrade" systemctl is-active cccamd
must "an upgrade loses accounts" $cccamd probe 127.0.0.1 12000 bert hidden
inside cat /var/lib/cccamd/node-id | cmp -s - "$work/node-id" || fail "an upgrade loses the node id"

# Away with it. What is somebody's stays: files that were changed, and what systemctl edit made.
must "no changes can be made" sh -c 'mkdir -p /etc/systemd/system/cccamd.service.d &&
    printf "[Service]\nNice=5\n" >/etc/systemd/system/cccamd.service.d/override.conf'
must "it is not taken away" $cccamd uninstall --yes
must "it serves on" sh -c '! systemctl is-active cccamd && ! '"$cccamd probe 127.0.0.1 12000 anna secret"
must "it takes the node id away unasked" test -s /var/lib/cccamd/node-id
must "it is not purged" $cccamd uninstall --yes --purge
must "it takes away what somebody wrote" sh -c 'grep -x "F: bert hidden" /etc/cccam/CCcam.cfg &&
    grep -x "# mine" /etc/cccam/cccamd.toml && test -s /etc/systemd/system/cccamd.service.d/override.conf'
must "files stay with a user who is gone" \
    sh -c 'found=$(find / -xdev \( -nouser -o -nogroup \)); echo "$found"; [ -z "$found" ]'
inside rm -r /etc/cccam /etc/systemd/system/cccamd.service.d /root/cccamd.tar /opt/cccamd
inside sh /root/everything >"$work/after"
diff "$work/before" "$work/after" >"$work/said" || fail "it leaves something, or has changed something"
echo "test-install: installed by pip, a service rated 1.5 or better, served, reloaded, upgraded, taken away"
