"""PAT, PMT and CAT: which PIDs make a service, where ECMs and EMMs are.

Source: ISO/IEC 13818-1 section 2.4.4.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Self

from cccamd.lab.ts.descriptors import (
    CaDescriptor,
    Descriptor,
    ca_descriptors,
    parse_descriptors,
    serialize_descriptors,
)
from cccamd.lab.ts.packets import TsError
from cccamd.lab.ts.sections import LongSection

PAT_PID = 0x0000
CAT_PID = 0x0001
PAT_TABLE_ID = 0x00
CAT_TABLE_ID = 0x01
PMT_TABLE_ID = 0x02

_PID_MASK = 0x1FFF
_LENGTH_MASK = 0x0FFF
_RESERVED = 0xFFFF


@dataclass(frozen=True, slots=True)
class Program:
    """One line of a PAT. Number 0 is no service: its PID is that of the network table."""

    number: int
    pmt_pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pat:
    """One section of the program association table."""

    transport_stream_id: int
    version: int
    current: bool = True
    number: int = 0
    last_number: int = 0
    programs: tuple[Program, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read one section.

        Raises:
            TsError: it is damaged, or not of a PAT.
        """
        section = _long_section(raw, PAT_TABLE_ID)
        if len(section.body) % 4:
            raise TsError("a PAT whose last entry is cut short")
        entries = [section.body[i : i + 4] for i in range(0, len(section.body), 4)]
        return cls(
            transport_stream_id=section.extension,
            version=section.version,
            current=section.current,
            number=section.number,
            last_number=section.last_number,
            programs=tuple(
                Program(int.from_bytes(e[:2]), int.from_bytes(e[2:]) & _PID_MASK) for e in entries
            ),
        )

    def serialize(self) -> bytes:
        """Build the section.

        Raises:
            TsError: there are too many programs for one.
        """
        return LongSection(
            table_id=PAT_TABLE_ID,
            extension=self.transport_stream_id,
            version=self.version,
            current=self.current,
            number=self.number,
            last_number=self.last_number,
            body=b"".join(
                p.number.to_bytes(2) + (p.pmt_pid | 0xE000).to_bytes(2) for p in self.programs
            ),
        ).serialize()


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementaryStream:
    """Picture, sound or another part of a service."""

    stream_type: int
    pid: int
    descriptors: tuple[Descriptor, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pmt:
    """The program map table of one service. Always one section."""

    program: int
    """The service id (SID)."""
    version: int
    current: bool = True
    pcr_pid: int
    descriptors: tuple[Descriptor, ...] = ()
    streams: tuple[ElementaryStream, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read one section.

        Raises:
            TsError: it is damaged, or not of a PMT.
        """
        section = _long_section(raw, PMT_TABLE_ID)
        pcr_pid, rest = _pid(section.body)
        info, rest = _length_prefixed(rest)
        return cls(
            program=section.extension,
            version=section.version,
            current=section.current,
            pcr_pid=pcr_pid,
            descriptors=parse_descriptors(info),
            streams=_parse_streams(rest),
        )

    def serialize(self) -> bytes:
        """Build the section.

        Raises:
            TsError: it got longer than a section may be.
        """
        body = (self.pcr_pid | 0xE000).to_bytes(2)
        body += _prefix_length(serialize_descriptors(self.descriptors))
        for stream in self.streams:
            body += bytes([stream.stream_type]) + (stream.pid | 0xE000).to_bytes(2)
            body += _prefix_length(serialize_descriptors(stream.descriptors))
        return LongSection(
            table_id=PMT_TABLE_ID,
            extension=self.program,
            version=self.version,
            current=self.current,
            body=body,
        ).serialize()

    @property
    def ca_descriptors(self) -> tuple[CaDescriptor, ...]:
        """Those of the whole service first, then those of single streams.

        Raises:
            TsError: one of them is cut short.
        """
        of_streams = (stream.descriptors for stream in self.streams)
        return ca_descriptors(chain(self.descriptors, *of_streams))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cat:
    """One section of the conditional access table: where the EMMs of each CA system are."""

    version: int
    current: bool = True
    number: int = 0
    last_number: int = 0
    descriptors: tuple[Descriptor, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read one section.

        Raises:
            TsError: it is damaged, or not of a CAT.
        """
        section = _long_section(raw, CAT_TABLE_ID)
        return cls(
            version=section.version,
            current=section.current,
            number=section.number,
            last_number=section.last_number,
            descriptors=parse_descriptors(section.body),
        )

    def serialize(self) -> bytes:
        """Build the section.

        Raises:
            TsError: it got longer than a section may be.
        """
        return LongSection(
            table_id=CAT_TABLE_ID,
            extension=_RESERVED,
            version=self.version,
            current=self.current,
            number=self.number,
            last_number=self.last_number,
            body=serialize_descriptors(self.descriptors),
        ).serialize()

    @property
    def ca_descriptors(self) -> tuple[CaDescriptor, ...]:
        """One for each CA system.

        Raises:
            TsError: one of them is cut short.
        """
        return ca_descriptors(self.descriptors)


def _long_section(raw: bytes, table_id: int) -> LongSection:
    section = LongSection.parse(raw)
    if section.table_id != table_id:
        raise TsError(f"table {section.table_id:02X} where {table_id:02X} belongs")
    return section


def _pid(data: bytes) -> tuple[int, bytes]:
    if len(data) < 2:
        raise TsError("a PMT that is cut short")
    return int.from_bytes(data[:2]) & _PID_MASK, data[2:]


def _length_prefixed(data: bytes) -> tuple[bytes, bytes]:
    """Split off what a 12-bit length announces."""
    if len(data) < 2:
        raise TsError("a PMT that is cut short")
    end = 2 + (int.from_bytes(data[:2]) & _LENGTH_MASK)
    if len(data) < end:
        raise TsError("a PMT whose descriptors are cut short")
    return data[2:end], data[end:]


def _parse_streams(data: bytes) -> tuple[ElementaryStream, ...]:
    streams = []
    while data:
        stream_type = data[0]
        pid, rest = _pid(data[1:])
        info, data = _length_prefixed(rest)
        streams.append(
            ElementaryStream(stream_type=stream_type, pid=pid, descriptors=parse_descriptors(info))
        )
    return tuple(streams)


def _prefix_length(data: bytes) -> bytes:
    """Put a 12-bit length in front; the reserved bits are set."""
    return (0xF000 | len(data)).to_bytes(2) + data
