"""What the engine gets to see, and what it can do with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.fleet.values import KEY_LENGTH, Sealer

KEY, OTHER = bytes(range(KEY_LENGTH)), bytes(KEY_LENGTH)
NODE, TWIN, STRANGER = Sealer(KEY), Sealer(KEY), Sealer(OTHER)


@given(st.text(max_size=8), st.lists(st.binary(max_size=40), max_size=3), st.binary(max_size=300))
def test_each_node_reads_what_another_wrote_and_nobody_else(
    kind: str, parts: list[bytes], plain: bytes
) -> None:
    name = NODE.name(kind, *parts)
    assert name == TWIN.name(kind, *parts) != STRANGER.name(kind, *parts)
    value = NODE.seal(name, plain)
    assert len(value) == len(plain) + 29, "a version, a nonce and a tag"
    before = TWIN.unread
    assert TWIN.unseal(name, value) == plain
    assert TWIN.unread == before
    assert STRANGER.unseal(name, value) is None
    assert TWIN.unseal(NODE.name(kind, *parts, b""), value) is None  # moved to another entry
    assert TWIN.unread == before + 1
    assert NODE.seal(name, plain) != value


@given(st.binary(min_size=1, max_size=60), st.data())
def test_what_was_touched_is_no_value(plain: bytes, data: st.DataObject) -> None:
    name = NODE.name("cw", b"x")
    value = bytearray(NODE.seal(name, plain))
    at = data.draw(st.integers(0, len(value) - 1))
    value[at] ^= data.draw(st.integers(1, 255))
    before = NODE.unread
    assert NODE.unseal(name, bytes(value)) is None
    assert NODE.unread == before + (at > 0), "a value of a later version is no forgery"
    assert NODE.unseal(name, bytes(value[:at])) is None
    assert NODE.unread == before + 2 * (at > 0)


@given(st.binary(max_size=100))
def test_garbage_is_no_value(data: bytes) -> None:
    assert NODE.unseal(bytes(16), data) is None


def test_nonces_of_two_names_may_be_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """A random nonce is used twice before long if there is one key for all."""
    monkeypatch.setattr("os.urandom", bytes)
    one, other = (NODE.seal(name, bytes(16)) for name in (b"one", b"other"))
    assert one[:13] == other[:13]
    assert one[13:29] != other[13:29]


def test_parts_are_not_mixed_up() -> None:
    assert NODE.name("a", b"bc") != NODE.name("a", b"b", b"c") != NODE.name("ab", b"c")


def test_a_cw_is_not_in_what_the_engine_gets() -> None:
    cw = b"sixteen bytes CW"
    name = NODE.name("cw", b"fingerprint")
    assert cw not in NODE.seal(name, cw)
    assert b"fingerprint" not in name
