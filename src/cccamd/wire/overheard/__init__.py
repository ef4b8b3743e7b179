"""A connection heard from outside, both sides: bytes in, what was said out.

A `SessionReader` is given what each side sent, in the order of its arrival, and says with `Tell`
what it was; passwords and DES keys come from a `Keyring`. It answers nothing, and what it cannot
read it says. Whoever has a capture (`cccamd.decode`) makes one for each connection.
"""

from cccamd.wire.overheard.cccam import CccamSession
from cccamd.wire.overheard.dvbapi import DvbapiSession
from cccamd.wire.overheard.keyring import Keyring
from cccamd.wire.overheard.newcamd import NewcamdSession
from cccamd.wire.overheard.records import Json, Kind, Record, Sender, SessionReader, Tell

__all__ = [
    "CccamSession",
    "DvbapiSession",
    "Json",
    "Keyring",
    "Kind",
    "NewcamdSession",
    "Record",
    "Sender",
    "SessionReader",
    "Tell",
]
