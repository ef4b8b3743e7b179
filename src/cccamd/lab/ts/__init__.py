"""Transport streams: packets, sections, PSI tables and DVB-CSA. No input or output."""

from cccamd.lab.ts.csa import CsaKey, CsaLibraryMissing, descramble, require_csa, scramble
from cccamd.lab.ts.packets import (
    PACKET_LENGTH,
    PCR_HZ,
    PCR_MODULUS,
    Packet,
    PacketReader,
    Parity,
    TsError,
)
from cccamd.lab.ts.psi import (
    CAT_PID,
    PAT_PID,
    PMT_TABLE_ID,
    CaDescriptor,
    Cat,
    Descriptor,
    ElementaryStream,
    Pat,
    Pmt,
    Program,
)
from cccamd.lab.ts.sections import LongSection, SectionReader, SectionWriter, crc32_mpeg2

__all__ = [
    "CAT_PID",
    "PACKET_LENGTH",
    "PAT_PID",
    "PCR_HZ",
    "PCR_MODULUS",
    "PMT_TABLE_ID",
    "CaDescriptor",
    "Cat",
    "CsaKey",
    "CsaLibraryMissing",
    "Descriptor",
    "ElementaryStream",
    "LongSection",
    "Packet",
    "PacketReader",
    "Parity",
    "Pat",
    "Pmt",
    "Program",
    "SectionReader",
    "SectionWriter",
    "TsError",
    "crc32_mpeg2",
    "descramble",
    "require_csa",
    "scramble",
]
