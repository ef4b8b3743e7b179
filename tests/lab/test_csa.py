"""DVB-CSA: the binding, and whole packets."""

import ctypes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cccamd.lab.ts import (
    PACKET_LENGTH,
    CsaKey,
    CsaLibraryMissing,
    Parity,
    csa,
    descramble,
    scramble,
)

CW = bytes.fromhex("0102030604050615")
PID = 0x100


def scrambled_alone(cw: bytes, payload: bytes) -> bytes:
    """What the library's other, one-packet interface makes of a payload."""
    library = ctypes.CDLL("libdvbcsa.so.1")
    library.dvbcsa_key_alloc.restype = ctypes.c_void_p
    key = ctypes.c_void_p(library.dvbcsa_key_alloc())
    library.dvbcsa_key_set(cw, key)
    data = ctypes.create_string_buffer(payload, len(payload))
    library.dvbcsa_encrypt(key, data, len(payload))
    library.dvbcsa_key_free(key)
    return data.raw


def test_every_payload_length_agrees_with_the_one_packet_interface() -> None:
    """All lengths in one call, so this is also a batch of mixed lengths over its limit."""
    payloads = [bytes((i * 7 + n) & 0xFF for i in range(n)) for n in range(185)]
    buffer, spans = bytearray(), []
    for payload in payloads:
        spans.append((len(buffer), len(payload)))
        buffer += payload
    clear = bytes(buffer)
    key = CsaKey(CW)
    key.scramble(buffer, spans)
    assert buffer == b"".join(scrambled_alone(CW, payload) for payload in payloads)
    assert buffer != clear
    key.descramble(buffer, spans)
    assert buffer == clear


@pytest.mark.parametrize("span", [(0, 185), (-1, 8), (93, 8), (0, -1), (200, 0)])
def test_nothing_outside_the_buffer_is_touched(span: tuple[int, int]) -> None:
    buffer = bytearray(200 if span[1] == 185 else 100)
    with pytest.raises(ValueError, match="no payload"):
        CsaKey(CW).scramble(buffer, [(0, 8), span])
    assert not any(buffer)


def test_a_cw_has_eight_bytes() -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        CsaKey(bytes(16))


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csa, "_LIBRARY", "libdvbcsa-absent.so.1")
    csa._library.cache_clear()
    try:
        with pytest.raises(CsaLibraryMissing, match="apt-get install libdvbcsa1"):
            CsaKey(CW)
    finally:
        csa._library.cache_clear()


def payload_packets(pids: list[int], fields: list[bytes]) -> bytearray:
    packets = bytearray()
    for number, (pid, field) in enumerate(zip(pids, fields, strict=True)):
        control = 0x10 | number & 0x0F | (0x20 if field else 0)
        packet = b"\x47" + pid.to_bytes(2) + bytes([control]) + field
        packets += packet + bytes(i & 0xFF for i in range(PACKET_LENGTH - len(packet)))
    return packets


@st.composite
def streams(draw: st.DrawFn) -> bytearray:
    count = draw(st.integers(0, 150))
    pids = draw(st.lists(st.sampled_from([PID, 0x200]), min_size=count, max_size=count))
    lengths = draw(st.lists(st.integers(0, 183), min_size=count, max_size=count))
    return payload_packets(pids, [bytes([n]) + bytes(n) if n else b"" for n in lengths])


@settings(max_examples=30)
@given(streams(), st.sampled_from(Parity), st.binary(min_size=8, max_size=8))
def test_packets_round_trip(clear: bytearray, parity: Parity, cw: bytes) -> None:
    key = CsaKey(cw)
    packets = bytearray(clear)
    done = scramble(packets, key, parity=parity, pids={PID})
    marked = [i for i in range(0, len(packets), PACKET_LENGTH) if packets[i + 3] >> 6 == parity]
    assert len(marked) == done
    assert descramble(bytearray(packets), {parity.other: key}) == 0
    assert descramble(packets, {parity: key, parity.other: CsaKey(CW)}) == done
    assert packets == clear


def test_only_the_payload_of_the_wanted_pids_changes() -> None:
    clear = payload_packets([PID, 0x200, PID], [b"", b"", b"\x07" + bytes(7)])
    packets = bytearray(clear)
    assert scramble(packets, CsaKey(CW), parity=Parity.EVEN, pids={PID}) == 2
    first, second, third = (packets[i : i + PACKET_LENGTH] for i in range(0, len(clear), 188))
    assert first[:4] == b"\x47\x01\x00\x90"
    assert first[4:] != clear[4:PACKET_LENGTH]
    assert second == clear[PACKET_LENGTH : 2 * PACKET_LENGTH]
    assert third[:12] == b"\x47\x01\x00\xb2\x07" + bytes(7)
    assert third[12:] != clear[2 * PACKET_LENGTH + 12 :]
