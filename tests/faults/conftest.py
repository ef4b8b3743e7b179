"""The servers and clients of the tests of the server are used here, too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "server"))
