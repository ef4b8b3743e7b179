#!/bin/sh
# Look whether anything in requirements.lock is known to be weak. That needs pip-audit and the
# advisories of the internet: where either is not to be had it says so, and is no failure.
set -eu
cd "$(dirname "$0")/.."
if ! command -v pip-audit >/dev/null; then
    echo "audit: NOT DONE: there is no pip-audit here (pipx install pip-audit)"
    exit 0
fi
status=0
said=$(pip-audit --requirement requirements.lock --require-hashes --disable-pip \
    --progress-spinner off --timeout 10 2>&1) || status=$?
if [ "$status" = 0 ] && [ "$(echo "$said" | grep -c "could not be audited")" -gt 3 ]; then
    echo "audit: NOT DONE: the advisories cannot be had from here"
    exit 0
fi
echo "$said"
exit "$status"
