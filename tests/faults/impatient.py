"""`cccamd` with waits that are fit for tests."""

import sys
from typing import Any

from cccamd.__main__ import main
from cccamd.cli.deeds import serve
from cccamd.server import machinewatch
from cccamd.watch.journal import journal

waits: Any = journal
waits.RETRY_INTERVAL = 0.3
waits = machinewatch
waits.LOOK_INTERVAL = 0.3
waits = serve
waits.LOG_RETRY_INTERVAL = 0.3

if __name__ == "__main__":
    sys.exit(main())
