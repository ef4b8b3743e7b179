"""The command that reads the web pages is tested against the servers of the web tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "web"))
