"""The softcam behind dvbapi: which ECMs of a service are asked, and what the client is told.

A `Softcam` is one connection's: plain decisions with the time as an argument, in which orders are
values. Source: docs/dvbapi-protocol.md.
"""

from cccamd.softcam.choice import Chance, Prospect
from cccamd.softcam.emms import EmmCard
from cccamd.softcam.orders import (
    AnsweredBy,
    Ask,
    Began,
    Ended,
    Forget,
    Order,
    PassEmm,
    RemovePid,
    SetFilter,
    SetHalf,
    SetPid,
    StopFilter,
    TellEcm,
    TooMany,
)
from cccamd.softcam.selected import Selected
from cccamd.softcam.softcam import House, Softcam

__all__ = [
    "AnsweredBy",
    "Ask",
    "Began",
    "Chance",
    "EmmCard",
    "Ended",
    "Forget",
    "House",
    "Order",
    "PassEmm",
    "Prospect",
    "RemovePid",
    "Selected",
    "SetFilter",
    "SetHalf",
    "SetPid",
    "Softcam",
    "StopFilter",
    "TellEcm",
    "TooMany",
]
