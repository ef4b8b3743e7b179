"""Points in time as people write them: `2h`, `yesterday`, `2026-11-22 20:15`."""

import re
from datetime import datetime, time, timedelta
from typing import Final

_AGO: Final = re.compile(r"(\d{1,6})\s*(s|m|min|h|d|w)")
_UNITS: Final = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
EXPECTED: Final = "2h, 30m, 3d, 1w, today, yesterday, 20:15, 2026-11-22 or 2026-11-22 20:15"


def parse_since(text: str, now: datetime) -> datetime:
    """Read a point in time; without a time zone it is in that of `now`.

    Raises:
        ValueError: it is none; the text says what is expected.
    """
    words = text.strip().lower()
    if words in ("today", "yesterday"):
        day = now.date() - timedelta(days=words == "yesterday")
        return datetime.combine(day, time(), now.tzinfo)
    try:
        if ago := _AGO.fullmatch(words):
            return now - int(ago[1]) * _UNITS[ago[2]]
        if clock := re.fullmatch(r"(\d{1,2})(:\d{2}(?::\d{2})?)", words):
            at = time.fromisoformat(clock[1].zfill(2) + clock[2])
            return datetime.combine(now.date(), at, now.tzinfo)
        moment = datetime.fromisoformat(words.upper())
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is no point in time; expected {EXPECTED}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)
