"""The CW of one key index: what the client has, and when it is to be told again.

Source: docs/dvbapi-protocol.md section 9. Clients forget: tvheadend wants a fresh key in each
crypto period, minisatip drops a CW after 45 seconds. So what has not changed for a while is
repeated.
"""

from typing import Final

from cccamd.values import HALF_LENGTH, ControlWords
from cccamd.wire.dvbapi import Parity

Half = tuple[Parity, bytes]

UNCHANGED: Final = 10.0
"""Seconds after which a half that stays the same is repeated, with the other."""
REPEAT: Final = 2.0
"""Seconds between repetitions."""
_NOTHING: Final = bytes(HALF_LENGTH)


class Keys:
    """Both halves; one that was never told is not there."""

    def __init__(self) -> None:
        self._halves: dict[Parity, bytes] = {}
        self._changed_at: dict[Parity, float] = {}
        self._told_at = 0.0

    def __bool__(self) -> bool:
        return bool(self._halves)

    def take(self, cw: ControlWords, now: float) -> tuple[Half, ...]:
        """Learn a CW; return parity and key of what is to be told: a half that is all zero is
        not in this ECM."""
        halves = ((Parity.EVEN, cw.even), (Parity.ODD, cw.odd))
        told = tuple((parity, half) for parity, half in halves if half != _NOTHING)
        for parity, half in told:
            if self._halves.get(parity) != half:
                self._halves[parity] = half
                self._changed_at[parity] = now
        self._told_at = now
        return told

    def would_change(self, cw: ControlWords) -> bool:
        """Whether a CW says something new."""
        halves = ((Parity.EVEN, cw.even), (Parity.ODD, cw.odd))
        return any(half not in (_NOTHING, self._halves.get(parity)) for parity, half in halves)

    def again(self, now: float) -> tuple[Half, ...]:
        """All that is known, to be told once more."""
        self._told_at = now
        return tuple(sorted(self._halves.items()))

    @property
    def told_at(self) -> float:
        """When the client was told last."""
        return self._told_at

    @property
    def cw(self) -> ControlWords:
        """Both halves; zeros for one that is not known."""
        return ControlWords(b"".join(self._halves.get(parity, _NOTHING) for parity in Parity))

    def repeat_at(self, *, constant: bool = False) -> float | None:
        """When to tell again; `constant`: no ECM will ever bring another. None: never."""
        if not self._halves:
            return None
        unchanged_at = 0.0 if constant else min(self._changed_at.values()) + UNCHANGED
        return max(unchanged_at, self._told_at + REPEAT)
