"""Tells a broker what goes on, and Home Assistant what it is: `[mqtt]` (docs/mqtt.md).

`Painter` makes topics and payloads of facts, `Board` knows which of them the broker has not got;
both know no clock and no socket. `Publisher` has the clock, and `broker` the library (paho-mqtt)
that speaks to the broker.
"""

from cccamd.mqtt.picture import Overview
from cccamd.mqtt.publisher import Publisher, Told

__all__ = ["Overview", "Publisher", "Told"]
