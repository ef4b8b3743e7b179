"""Which sections a filter lets through, and how long a section is.

Source: docs/dvbapi-protocol.md, section 8.
"""

from dataclasses import dataclass
from typing import Final, Self

MATCH_LENGTH: Final = 16
SECTION_HEAD: Final = 3
"""Table id, and the length of what follows."""
SHORTEST_BODY: Final = 4
"""A length below it is no section of anything."""

_LENGTH_MASK: Final = 0x0FFF
_SKIPPED: Final = 2
"""The length bytes of a section, which no filter looks at."""


@dataclass(frozen=True, slots=True)
class SectionMatch:
    """What a section must begin with: byte 0 is its table id, byte i its byte i + 2."""

    value: bytes
    """At most 16 bytes, as many as `mask` has."""
    mask: bytes

    def __post_init__(self) -> None:
        if len(self.value) != len(self.mask) or len(self.mask) > MATCH_LENGTH:
            raise ValueError(f"value and mask are of one length, {MATCH_LENGTH} bytes at most")

    @classmethod
    def table(cls, table_id: int, mask: int = 0xFF) -> Self:
        """Let through what has this table id."""
        return cls(bytes((table_id,)), bytes((mask,)))

    def matches(self, section: bytes) -> bool:
        """Whether a section passes; one that ends before a byte that matters does not."""
        seen = section[:1] + section[1 + _SKIPPED :]
        return all(
            at < len(seen) and (seen[at] ^ value) & mask == 0
            for at, (value, mask) in enumerate(zip(self.value, self.mask, strict=True))
            if mask
        )


ECM_ANY: Final = SectionMatch.table(0x80, 0xF0)
ECM_EVEN: Final = SectionMatch.table(0x80)
ECM_ODD: Final = SectionMatch.table(0x81)
PAT: Final = SectionMatch.table(0x00)
CAT: Final = SectionMatch.table(0x01)


def section_length(head: bytes) -> int:
    """The length of the whole section that begins with these three bytes."""
    return SECTION_HEAD + (int.from_bytes(head[1:SECTION_HEAD]) & _LENGTH_MASK)
