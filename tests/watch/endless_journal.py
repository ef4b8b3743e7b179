"""Writes a journal until it is killed; says after each batch how much is in the file."""

import sys
import time
from pathlib import Path

from cccamd.watch.journal import Entry, Journal, Kind

journal = Journal(Path(sys.argv[1]), on_trouble=lambda text: print(text, file=sys.stderr))
journal.start()
number = 0
started_at = float(int(time.time()))
while True:
    for _ in range(20):
        number += 1
        journal._put(Entry(at=started_at + number, kind=Kind.LOGIN, account=f"u{number}"))
    print(journal.written, flush=True)
    time.sleep(0.002)
