"""`[notify]`: who is told of incidents, and when (docs/notify.md)."""

from dataclasses import dataclass, field
from typing import Annotated, Final

from cccamd.setup.hours import TimeFrame, read_frame
from cccamd.setup.toml.fields import SWITCH, Listed, Table, Value, text_as, time_between

URLS_LIMIT: Final = 20


def _read_quiet(found: object) -> TimeFrame:
    frame = read_frame(found) if isinstance(found, str) else None
    if frame is None or frame.begin == frame.end:
        raise ValueError
    return frame


def _check_url(text: str) -> None:
    if "://" not in text or not text.isprintable():
        raise ValueError  # the text holds a key: the message must not repeat it


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyTable(Table):
    """`[notify]`: messages of incidents, by apprise."""

    urls: Annotated[
        tuple[str, ...],
        Listed(
            'a list of addresses as apprise writes them: urls = ["ntfy://ntfy.example/tv"]',
            text_as(
                'an address as apprise writes it, such as "ntfy://ntfy.example/tv"', _check_url
            ),
            most=URLS_LIMIT,
            distinct=True,
        ),
    ] = field(default=(), repr=False)
    """They hold keys and passwords."""
    after: Annotated[float, time_between(0, 86_400)] = 60.0
    """Seconds that something must be wrong until it is told."""
    quiet: Annotated[
        TimeFrame | None, Value('hours of the day, such as "22:00-07:00"', _read_quiet)
    ] = None
    over: Annotated[bool, SWITCH] = True
    """Whether ends are told, too."""
