"""The cipher against a reference that follows section 3 byte by byte."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.wire.cccam.cipher import Cipher
from cccamd.wire.cccam.keystream import Keystream, of_arc4, of_the_cipher_library

KEYS = st.binary(min_size=16, max_size=16) | st.binary(min_size=20, max_size=20)


class NaiveCipher:
    def __init__(self, key: bytes) -> None:
        self.table = list(range(256))
        self.i = self.j = 0
        self.state = key[0]
        j = 0
        for i in range(256):
            j = (j + self.table[i] + key[i % len(key)]) & 0xFF
            self.table[i], self.table[j] = self.table[j], self.table[i]

    def keystream(self) -> int:
        self.i = (self.i + 1) & 0xFF
        self.j = (self.j + self.table[self.i]) & 0xFF
        self.table[self.i], self.table[self.j] = self.table[self.j], self.table[self.i]
        return self.table[(self.table[self.i] + self.table[self.j]) & 0xFF]

    def encrypt(self, plain: bytes) -> bytes:
        out = bytearray()
        for byte in plain:
            out.append(byte ^ self.keystream() ^ self.state)
            self.state ^= byte
        return bytes(out)

    def decrypt(self, encrypted: bytes) -> bytes:
        out = bytearray()
        for byte in encrypted:
            out.append(byte ^ self.keystream() ^ self.state)
            self.state ^= out[-1]
        return bytes(out)

    def skip(self, length: int) -> None:
        for _ in range(length):
            self.keystream()


STEPS = st.lists(
    st.tuples(st.sampled_from(["encrypt", "decrypt"]), st.binary(max_size=1100))
    | st.tuples(st.just("skip"), st.integers(0, 40)),
    max_size=8,
)


@given(KEYS, STEPS)
def test_any_sequence_equals_the_reference(
    key: bytes, steps: list[tuple[str, bytes]] | list[tuple[str, int]]
) -> None:
    ours, naive = Cipher(key), NaiveCipher(key)
    for name, argument in steps:
        assert getattr(ours, name)(argument) == getattr(naive, name)(argument), name


@given(KEYS, st.binary(min_size=1, max_size=1024), st.integers(1, 64))
def test_burning_is_skipping(key: bytes, plain: bytes, burn: int) -> None:
    ours, naive = Cipher(key), NaiveCipher(key)
    assert ours.encrypt(plain, burn=burn) == naive.encrypt(plain)
    naive.skip(burn)
    assert ours.encrypt(plain) == naive.encrypt(plain)


@given(KEYS, st.binary(min_size=2, max_size=64), st.integers(1, 255))
def test_a_wrong_chain_byte_damages_one_byte_only(key: bytes, plain: bytes, error: int) -> None:
    sender, receiver = Cipher(key), Cipher(key)
    receiver._state ^= error
    damaged = receiver.decrypt(sender.encrypt(plain))
    assert damaged[0] != plain[0]
    assert damaged[1:] == plain[1:]
    assert receiver.decrypt(sender.encrypt(plain)) == plain


@pytest.mark.parametrize("keystream", [of_arc4, of_the_cipher_library])
@given(key=KEYS, pieces=st.lists(st.binary(max_size=1100), max_size=4))
def test_each_library_makes_the_same_stream(
    keystream: Callable[[bytes], Keystream], key: bytes, pieces: list[bytes]
) -> None:
    if keystream is of_arc4:
        pytest.importorskip("arc4", reason="it has no wheels for this machine")
    ours, naive = keystream(key), NaiveCipher(key)
    for piece in pieces:
        assert ours(piece) == bytes(byte ^ naive.keystream() for byte in piece)
