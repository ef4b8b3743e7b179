"""Receiver programs that speak dvbapi: their door, and what runs for each of them.

`session` and what it needs, the softcam among it, is loaded when the door is to be opened.
"""

from cccamd.server.dvbapi.door import DvbapiDoor, DvbapiSurroundings

__all__ = ["DvbapiDoor", "DvbapiSurroundings"]
