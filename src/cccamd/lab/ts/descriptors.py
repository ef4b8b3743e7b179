"""Descriptors: the tagged pieces of information in tables, above all the CA descriptor.

Source: ISO/IEC 13818-1 sections 2.6.1 and 2.6.16.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from cccamd.lab.ts.packets import TsError

CA_DESCRIPTOR_TAG = 0x09
_PID_MASK = 0x1FFF


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One tagged piece of information in a table."""

    tag: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CaDescriptor:
    """Names a CA system and the PID of its ECMs (in a PMT) or of its EMMs (in a CAT)."""

    caid: int
    pid: int
    private: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the data of a descriptor with tag `CA_DESCRIPTOR_TAG`.

        Raises:
            TsError: it has less than four bytes.
        """
        if len(data) < 4:
            raise TsError("a CA descriptor that is cut short")
        caid, pid = int.from_bytes(data[:2]), int.from_bytes(data[2:4]) & _PID_MASK
        return cls(caid=caid, pid=pid, private=data[4:])

    def to_descriptor(self) -> Descriptor:
        """Build the descriptor; the three reserved bits are set."""
        pid = (self.pid | 0xE000).to_bytes(2)
        return Descriptor(CA_DESCRIPTOR_TAG, self.caid.to_bytes(2) + pid + self.private)


def ca_descriptors(descriptors: Iterable[Descriptor]) -> tuple[CaDescriptor, ...]:
    """Pick the CA descriptors.

    Raises:
        TsError: one of them is cut short.
    """
    return tuple(CaDescriptor.parse(d.data) for d in descriptors if d.tag == CA_DESCRIPTOR_TAG)


def parse_descriptors(data: bytes) -> tuple[Descriptor, ...]:
    """Read a run of descriptors that fills `data`.

    Raises:
        TsError: the last one is cut short.
    """
    descriptors = []
    while data:
        if len(data) < 2 or len(data) < 2 + data[1]:
            raise TsError("a descriptor that is cut short")
        end = 2 + data[1]
        descriptors.append(Descriptor(data[0], data[2:end]))
        data = data[end:]
    return tuple(descriptors)


def serialize_descriptors(descriptors: tuple[Descriptor, ...]) -> bytes:
    """Write them one behind the other."""
    return b"".join(bytes([d.tag, len(d.data)]) + d.data for d in descriptors)
