"""Points in time as people write them."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.cli.deeds.journal import parse_since

HERE = timezone(timedelta(hours=1))
NOW = datetime(2026, 11, 22, 20, 30, tzinfo=HERE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", datetime(2026, 11, 22, 18, 30, tzinfo=HERE)),
        ("30 min", datetime(2026, 11, 22, 20, 0, tzinfo=HERE)),
        ("1W", datetime(2026, 11, 15, 20, 30, tzinfo=HERE)),
        ("today", datetime(2026, 11, 22, tzinfo=HERE)),
        ("yesterday", datetime(2026, 11, 21, tzinfo=HERE)),
        ("9:05", datetime(2026, 11, 22, 9, 5, tzinfo=HERE)),
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=HERE)),
        ("2026-11-21 20:15", datetime(2026, 11, 21, 20, 15, tzinfo=HERE)),
        ("2026-11-21T20:15:00z", datetime(2026, 11, 21, 20, 15, tzinfo=UTC)),
    ],
)
def test_points_in_time(text: str, expected: datetime) -> None:
    assert parse_since(text, NOW) == expected


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9000, 1, 1)))
def test_what_a_clock_writes_is_read(moment: datetime) -> None:
    assert parse_since(str(moment), NOW) == moment.replace(tzinfo=HERE)


@given(st.text(max_size=20))
def test_anything_else_is_a_clear_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_since(text, NOW).tzinfo is not None


@pytest.mark.parametrize("text", ["", "soon", "2 fortnights", "25:00", "2026-13-01", "9999999w"])
def test_the_error_says_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected 2h, 30m"):
        parse_since(text, NOW)
