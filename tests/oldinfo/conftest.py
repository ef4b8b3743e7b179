"""The old pages are tested with the snapshots and the servers of the web tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "web"))
