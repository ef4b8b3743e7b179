"""Receiver programs that speak dvbapi: their door, and what runs for each of them."""

from cccamd.server.dvbapi.door import DvbapiDoor, DvbapiSurroundings
from cccamd.server.dvbapi.session import DvbapiSession, SelectedService

__all__ = ["DvbapiDoor", "DvbapiSession", "DvbapiSurroundings", "SelectedService"]
