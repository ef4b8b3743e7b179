"""What this machine is called, as a name that may stand anywhere."""

import platform
import re
from typing import Final

_OTHER: Final = re.compile("[^A-Za-z0-9_-]+")
_LONGEST: Final = 50


def machine_name() -> str:
    """The first part of this machine's name: 1 to 50 letters, digits, `_` and `-`.

    Fit for a node of a fleet and for a level of an MQTT topic, neither of which has it otherwise.
    """
    name = _OTHER.sub("_", platform.node().partition(".")[0])[:_LONGEST]
    return name.strip("_") or "cccamd"
