"""The recorded sessions are read by what the tests of the protocol have."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "wire"))
