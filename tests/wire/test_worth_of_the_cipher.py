"""What the protocol's own cipher is worth: the facts that SECURITY.md states."""

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from cccamd.wire.cccam.cipher import Cipher
from cccamd.wire.cccam.handshake import PASSWORD_CHECK, derive_keys, make_seed, pack_user

SEEDS = st.binary(min_size=12, max_size=12).map(make_seed)
PASSWORDS = st.binary(min_size=1, max_size=64)
SECRET = b"what the client says later"


def logs_in(seed: bytes, user: bytes, password: bytes) -> tuple[bytes, Cipher]:
    """What a client sends to log in, and its cipher afterwards."""
    keys = derive_keys(seed)
    cipher = keys.client_to_server
    sent = cipher.encrypt(keys.proof) + cipher.encrypt(pack_user(user))
    cipher.encrypt(password)
    return sent + cipher.encrypt(PASSWORD_CHECK), cipher


@given(SEEDS, PASSWORDS)
def test_whoever_listens_reads_everything_without_the_password(
    seed: bytes, password: bytes
) -> None:
    login, cipher = logs_in(seed, b"anna", password)
    heard = cipher.encrypt(SECRET)
    found = derive_keys(seed).client_to_server  # of the 16 bytes that were sent in the clear
    assert found.decrypt(login)[20:40].rstrip(b"\0") == b"anna"
    found.skip(len(password))  # tried from 1 to 64
    assert found.decrypt(heard)[1:] == SECRET[1:]


@given(SEEDS, PASSWORDS)
def test_a_password_is_its_length_and_one_byte(seed: bytes, password: bytes) -> None:
    other = bytes(len(password) - 1) + bytes([reduce(lambda sum, byte: sum ^ byte, password)])
    login, cipher = logs_in(seed, b"anna", password)
    guessed, same = logs_in(seed, b"anna", other)
    assert guessed == login
    assert same.encrypt(SECRET) == cipher.encrypt(SECRET)
