"""Captures made readable: a file in, records out. Knows no sockets and no settings.

`read_packets` reads a file; `Decoder` makes records (`cccamd.wire.overheard`) of its packets.
"""

from cccamd.decode.decoder import Decoder
from cccamd.decode.packets import CaptureError, read_packets

__all__ = ["CaptureError", "Decoder", "read_packets"]
