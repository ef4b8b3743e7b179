"""PAT, PMT and CAT with their descriptors: which PIDs make a service, where ECMs and EMMs are.

Source: ISO/IEC 13818-1 sections 2.4.4, 2.6.1 and 2.6.16.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Self

from cccamd.lab.ts.packets import TsError
from cccamd.lab.ts.sections import LongSection

PAT_PID = 0x0000
CAT_PID = 0x0001
PAT_TABLE_ID = 0x00
CAT_TABLE_ID = 0x01
PMT_TABLE_ID = 0x02
CA_DESCRIPTOR_TAG = 0x09

_PID_MASK = 0x1FFF
_LENGTH_MASK = 0x0FFF
_RESERVED = 0xFFFF


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
            descriptors=_parse_descriptors(info),
            streams=_parse_streams(rest),
        )

    def serialize(self) -> bytes:
        """Build the section.

        Raises:
            TsError: it got longer than a section may be.
        """
        body = (self.pcr_pid | 0xE000).to_bytes(2)
        body += _prefix_length(_serialize_descriptors(self.descriptors))
        for stream in self.streams:
            body += bytes([stream.stream_type]) + (stream.pid | 0xE000).to_bytes(2)
            body += _prefix_length(_serialize_descriptors(stream.descriptors))
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
        return _ca_descriptors(chain(self.descriptors, *of_streams))


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
            descriptors=_parse_descriptors(section.body),
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
            body=_serialize_descriptors(self.descriptors),
        ).serialize()

    @property
    def ca_descriptors(self) -> tuple[CaDescriptor, ...]:
        """One for each CA system.

        Raises:
            TsError: one of them is cut short.
        """
        return _ca_descriptors(self.descriptors)


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
            ElementaryStream(stream_type=stream_type, pid=pid, descriptors=_parse_descriptors(info))
        )
    return tuple(streams)


def _prefix_length(data: bytes) -> bytes:
    """Put a 12-bit length in front; the reserved bits are set."""
    return (0xF000 | len(data)).to_bytes(2) + data


def _ca_descriptors(descriptors: Iterable[Descriptor]) -> tuple[CaDescriptor, ...]:
    """Pick the CA descriptors.

    Raises:
        TsError: one of them is cut short.
    """
    return tuple(CaDescriptor.parse(d.data) for d in descriptors if d.tag == CA_DESCRIPTOR_TAG)


def _parse_descriptors(data: bytes) -> tuple[Descriptor, ...]:
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


def _serialize_descriptors(descriptors: tuple[Descriptor, ...]) -> bytes:
    """Write them one behind the other."""
    return b"".join(bytes([d.tag, len(d.data)]) + d.data for d in descriptors)
