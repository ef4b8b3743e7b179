"""Replaces one key file again and again, until killed: run by test_storage.py."""

import sys
from itertools import count
from pathlib import Path

from cccamd.lab.cas import CardKeys
from cccamd.lab.storage import read_key_file, replace_key_file

path = Path(sys.argv[1])
keys = read_key_file(path, CardKeys)
for serial in count(keys.card.serial + 1):
    changed = keys.replace(card=keys.card.replace(serial=serial))
    replace_key_file(path, changed.replace(all=keys.all.replace(serial=serial)))
    print(serial, flush=True)
