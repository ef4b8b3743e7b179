"""The ECM of the open test CAS: the control words of two periods under a service key.

Source: docs/open-cas.md section 4.
"""

from dataclasses import dataclass

from cccamd.ids import Caid, Sid
from cccamd.lab.cas.section import CasError, Section, parse_section, seal_section
from cccamd.values import CW_LENGTH, EVEN_TABLE_ID, ODD_TABLE_ID, ControlWords

_HEADER_LENGTH = 8  # sid, key id, period
_HEADER_LENGTHS = {EVEN_TABLE_ID: _HEADER_LENGTH, ODD_TABLE_ID: _HEADER_LENGTH}


@dataclass(frozen=True, slots=True)
class EcmHeader:
    """What an ECM says in the clear."""

    sid: Sid
    key_id: int
    """Names the service key: 16 bits."""
    period: int
    """Counts crypto periods: 32 bits. An even period is scrambled with the even CW."""

    @property
    def table_id(self) -> int:
        """0x80 in even periods, 0x81 in odd ones."""
        return ODD_TABLE_ID if self.period & 1 else EVEN_TABLE_ID

    def serialize(self) -> bytes:
        """Write the eight bytes of the header."""
        return self.sid.to_bytes(2) + self.key_id.to_bytes(2) + self.period.to_bytes(4)


@dataclass(frozen=True, slots=True)
class SealedEcm:
    """An ECM that was read, and not opened yet."""

    header: EcmHeader
    section: Section

    def unseal(self, key: bytes, *, caid: Caid) -> ControlWords:
        """Open it with the service key that its header names.

        Raises:
            CasError: not authentic.
        """
        raw = self.section.unseal(key, context=_context(caid))
        if len(raw) != CW_LENGTH:
            raise CasError(f"{len(raw)} bytes where {CW_LENGTH} bytes of control words belong")
        return ControlWords(raw)


def parse_sealed_ecm(raw: bytes) -> SealedEcm:
    """Read an ECM section.

    Raises:
        CasError: it is none of this system.
    """
    section = parse_section(raw, header_lengths=_HEADER_LENGTHS)
    fields = section.header
    header = EcmHeader(
        sid=Sid(int.from_bytes(fields[:2])),
        key_id=int.from_bytes(fields[2:4]),
        period=int.from_bytes(fields[4:]),
    )
    if header.table_id != section.table_id:
        raise CasError(f"table id {section.table_id:02X} does not fit period {header.period}")
    return SealedEcm(header, section)


def seal_ecm(
    header: EcmHeader, words: ControlWords, *, caid: Caid, key: bytes, nonce: bytes
) -> bytes:
    """Build an ECM section. `nonce`: 12 fresh random bytes."""
    return seal_section(
        header.table_id,
        header.serialize(),
        words.raw,
        key=key,
        nonce=nonce,
        context=_context(caid),
    )


def _context(caid: Caid) -> bytes:
    """What the tag covers besides the section: a label, and the CAID, which it doesn't hold."""
    return b"cccamd open ECM" + caid.to_bytes(2)
