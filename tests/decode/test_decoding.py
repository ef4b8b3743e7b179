"""Recorded sessions as captures: read whole, in any packets; damaged, cut, and begun too late."""

import gzip
import io
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import dpkt
import pytest
from capturing import (
    ACK,
    FIN,
    FOLDER,
    RST,
    SYN,
    Call,
    Said,
    Sent,
    decoded,
    decoded_file,
    packets_of,
    pcap_of,
    said_in,
    timeless,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from cccamd.decode import CaptureError, Decoder, read_packets
from cccamd.wire.cccam import Command
from cccamd.wire.overheard import Keyring, Kind, Record, Sender

SESSIONS = sorted(path.stem for path in FOLDER.glob("*.json") if "crypto" not in path.stem)
CCCAM = "cccam-plain-oscam2026-server"
EXTENDED = "cccam-extended-oscam2015-to-oscam2026"
NEWCAMD = "newcamd-oscam2026-server"
DVBAPI = "dvbapi-2-tvheadend-oscam2026-one"


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def keyring(name: str, password: str | None = None, **asks: Any) -> Keyring:
    """What opens a recorded session."""
    session = recorded(name)
    user = session.get("user", "").encode()
    passwords = {user: [(password or session.get("password", "")).encode()]}
    return Keyring(passwords=passwords, keys=[bytes.fromhex(session.get("config_key", ""))], **asks)


def kinds(records: list[Record]) -> Counter[tuple[Sender, Kind]]:
    return Counter((record.sender, record.kind) for record in records)


def unread(records: list[Record]) -> list[str]:
    return [record.text for record in records if record.kind is Kind.UNREAD]


@pytest.mark.parametrize("name", [name for name in SESSIONS if name.startswith("cccam")])
def test_cccam_sessions_are_read_whole(name: str) -> None:
    units = [unit for unit in recorded(name)["units"] if unit["what"] not in LOGIN]
    sent = Counter((unit["from"], bytes.fromhex(unit["clear"])[1]) for unit in units)
    records = decoded(packets_of(name), keyring(name), secrets=True)
    found = kinds(records)
    assert unread(records) == []
    assert found[Sender.CLIENT, Kind.ECM] == sent["client", Command.ECM]
    assert found[Sender.CLIENT, Kind.EMM] == sent["client", Command.EMM]
    cards = sent["server", Command.NEW_CARD] + sent["server", Command.NEW_CARD_SIDS]
    assert found[Sender.SERVER, Kind.CARD] == cards
    answers = [record for record in records if record.kind is Kind.ANSWER]
    refusals = [
        unit
        for unit in units
        if unit["from"] == "server"
        and unit["clear"][2:4] in ("fe", "ff")
        and len(unit["clear"]) == 8
    ]
    assert len(answers) == sent["server", Command.ECM] + len(refusals)
    assert {answer.facts["number"] for answer in answers} == set(range(1, len(answers) + 1))
    cws = {answer.facts["cw"] for answer in answers if answer.facts["result"] == "cw"}
    assert cws <= {"30ecdaf6b7021ed7bbbe52cbcd91e644"}


LOGIN = {"seed", "proof of the seed", "user name", "password check", "login accepted"}


@pytest.mark.parametrize("name", [name for name in SESSIONS if name.startswith("newcamd")])
def test_newcamd_sessions_are_read_whole(name: str) -> None:
    records = decoded(packets_of(name), keyring(name))
    head = 4 if recorded(name)["proto"] == 525 else 0
    clear = [
        (frame["from"], bytes.fromhex(frame["clear_hex"])[6 + head])
        for frame in recorded(name)["frames"]
        if frame["key"] != "none" and frame.get("clear_hex")
    ]
    sent, found = Counter(clear), kinds(records)
    if "limit" not in name:  # there is one frame that nobody takes
        assert unread(records) == []
        ecms = sent["client", 0x80] + sent["client", 0x81]
        assert found[Sender.CLIENT, Kind.ECM] == ecms
        assert found[Sender.SERVER, Kind.ANSWER] == sent["server", 0x80] + sent["server", 0x81]
        assert found[Sender.SERVER, Kind.CARD] == sent["server", 0xE4]
    refused = sent["server", 0xE2] or "wrong-key" in name
    assert found[Sender.SERVER, Kind.LOGIN_REFUSED] == bool(refused)


@pytest.mark.parametrize("name", [name for name in SESSIONS if name.startswith("dvbapi")])
def test_dvbapi_sessions_are_read_whole(name: str) -> None:
    records = decoded(packets_of(name), Keyring())
    frames = (frame["meaning"] for frame in recorded(name)["frames"])
    meanings = Counter(re.sub(r"^\[message [^]]*\] ", "", meaning).split()[0] for meaning in frames)
    found = kinds(records)
    assert unread(records) == []
    assert found[Sender.CLIENT, Kind.SERVICE] == meanings["CA_PMT"]
    halves = sum(count for word, count in meanings.items() if word.startswith("CA_SET_DESCR"))
    assert found[Sender.SERVER, Kind.ANSWER] == halves
    answers = [record for record in records if record.kind is Kind.ANSWER]
    assert all(record.facts["seconds"] is not None for record in answers)


def test_what_is_told_of_an_ecm_and_its_answer() -> None:
    records = decoded(packets_of(CCCAM), keyring(CCCAM))
    connected = records[0]
    assert connected.kind is Kind.CONNECTED
    assert connected.facts["protocol"] == "CCcam"
    assert connected.facts["client"] == "192.168.1.20:40123"
    ecm = next(record for record in records if record.kind is Kind.ECM)
    assert ecm.facts["caid"] == "7F00"
    assert ecm.facts["ident"] == "000A01"
    assert ecm.facts["sid"] == "0101"
    answer = next(record for record in records if record.kind is Kind.ANSWER)
    assert answer.facts["result"] == "cw"
    assert answer.facts["seconds"] == pytest.approx(0.01)
    protocol = next(record for record in records if record.kind is Kind.PROTOCOL)
    assert (protocol.facts["revision"], protocol.facts["extended"]) == ("v2", False)
    again = [r for r in decoded(packets_of(EXTENDED), keyring(EXTENDED)) if r.kind is Kind.PROTOCOL]
    assert again[-1].facts["extended"] is True


@pytest.mark.parametrize("name", [CCCAM, EXTENDED, NEWCAMD, DVBAPI])
def test_no_secret_is_told_unless_it_is_asked_for(name: str) -> None:
    session = recorded(name)
    secrets = {"30ecdaf6b7021ed7bbbe52cbcd91e644", "11223366445566ff77889998aabbcc31", "$1$"}
    secrets.add(session.get("password") or "$1$")
    plain = repr(decoded(packets_of(name), keyring(name)))
    assert not [secret for secret in secrets if secret in plain]
    assert "'cw':" not in plain
    assert "'cw': '" in repr(decoded(packets_of(name), keyring(name), secrets=True))


# As networks show it.


def shuffled(packets: list[Sent], chance: random.Random) -> list[Sent]:
    """Neighbours of the same side in another order, and some of them twice."""
    found: list[Sent] = []
    run: list[Sent] = []
    for packet in [*packets, None]:
        if packet is None or len(run) == 8 or (run and packet.source != run[0].source):
            chance.shuffle(run)
            found += run
            run = []
        if packet is not None:
            if found and chance.random() < 0.3:
                found.append(chance.choice(found[-20:]))  # sent again
            run.append(packet)
    return found


@settings(max_examples=25)
@given(
    st.sampled_from([CCCAM, EXTENDED, NEWCAMD, DVBAPI]),
    st.integers(3, 60),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_the_packets_do_not_matter(name: str, size: int, v6: bool, seed: int) -> None:
    ends = {"client": ("fe80::1", 40_123), "server": ("fe80::2", 12_000)} if v6 else {}
    whole = timeless(decoded(packets_of(name, **ends), keyring(name)))
    packets = packets_of(name, size=size, **ends)
    begin, end = packets[:3], packets[-2:]
    mixed = [*begin, *shuffled(packets[3:-2], random.Random(seed)), *end]
    assert timeless(decoded(mixed, keyring(name))) == whole


@pytest.mark.parametrize("name", [CCCAM, NEWCAMD, DVBAPI])
def test_an_answered_call_may_come_before_the_call_itself(name: str) -> None:
    """Captures of several queues are out of order at the beginning, too."""
    packets = packets_of(name)
    call, answer, *others = packets
    assert timeless(decoded([answer, call, *others], keyring(name))) == timeless(
        decoded(packets, keyring(name))
    )


@pytest.mark.parametrize("name", [CCCAM, NEWCAMD, DVBAPI])
def test_what_comes_late_of_a_connection_that_has_ended_is_no_other_one(name: str) -> None:
    packets = packets_of(name)
    whole = timeless(decoded(packets, keyring(name)))
    assert timeless(decoded([*packets, *packets], keyring(name))) == whole, "captured twice"
    ended = [*packets[:-2], replace(packets[-1], flags=RST)]
    reset = timeless(decoded(ended, keyring(name)))
    assert timeless(decoded([*ended, packets[0], packets[-3]], keyring(name))) == reset
    fresh = replace(packets[-3], sequence=packets[-3].sequence + 5_000_000)
    assert {each.connection for each in decoded([*packets, fresh], keyring(name))} == {1, 2}


def test_connections_that_have_ended_are_remembered_up_to_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cccamd.decode.streams.OVER_LIMIT", 2)
    decoder = Decoder(Keyring())
    calls = [packets_of(DVBAPI, client=("192.168.1.20", 4000 + each)) for each in range(5)]
    for packet in read_packets(io.BytesIO(pcap_of([p for call in calls for p in call]))):
        list(decoder.take(packet))
        assert len(decoder._streams._over) <= 2
    assert not decoder._streams._connections


def test_connections_side_by_side_and_one_after_the_other() -> None:
    one = packets_of(CCCAM)
    other = packets_of(NEWCAMD, client=("192.168.1.20", 40_124), server=("192.168.1.2", 15_000))
    third = packets_of(DVBAPI, client=("192.168.1.2", 15_000), server=("192.168.1.20", 40_123))
    mixed = sorted([*one, *other, *third], key=lambda packet: packet.at)
    again = [replace(packet, sequence=packet.sequence + 77) for packet in one]
    again = [
        replace(packet, at=packet.at + 99, acknowledged=packet.acknowledged + 77)
        for packet in again
    ]
    session = recorded(NEWCAMD)
    known = keyring(CCCAM)
    ring = Keyring(passwords=known._passwords, keys=[bytes.fromhex(session["config_key"])])
    records = decoded([*mixed, *again], ring)
    protocols = {r.connection: r.facts["protocol"] for r in records if r.kind is Kind.CONNECTED}
    assert sorted(protocols.values()) == ["CCcam", "CCcam", "dvbapi", "newcamd"]
    for number, name in ((1, CCCAM), (4, CCCAM)):
        own = [replace(record, connection=1) for record in records if record.connection == number]
        assert timeless(own) == timeless(decoded(one, keyring(name)))


def test_packets_that_overlap() -> None:
    whole = said_in(DVBAPI)[0].data
    begin = packets_of(DVBAPI)[:3]
    first = replace(begin[2], flags=ACK, data=whole[:10])
    ahead = replace(first, sequence=first.sequence + 20, data=whole[20:])
    over = replace(first, sequence=first.sequence + 5, data=whole[5:25])
    records = decoded([*begin, first, ahead, over, first], Keyring())
    assert kinds(records)[Sender.CLIENT, Kind.WHO] == 1
    assert unread(records) == []


def test_a_port_that_is_used_again_without_a_close() -> None:
    packets = packets_of(CCCAM)
    again = [replace(packet, at=packet.at + 9) for packet in packets]
    again = [
        replace(
            packet,
            sequence=packet.sequence + 5_000_000,
            acknowledged=packet.acknowledged + 5_000_000,
        )
        for packet in again
    ]
    records = decoded([*packets[:12], packets[0], *again], keyring(CCCAM))
    assert [r.connection for r in records if r.kind is Kind.CONNECTED] == [1, 2]
    second = [replace(record, connection=1) for record in records if record.connection == 2]
    assert timeless(second) == timeless(decoded(packets, keyring(CCCAM)))


def test_who_closes_and_how() -> None:
    packets = packets_of(CCCAM)
    call = Call()
    call.connect()
    call.say(said_in(CCCAM)[:1])
    call.close()
    silent = kinds(decoded(call.packets, keyring(CCCAM)))
    assert silent[Sender.SERVER, Kind.LOGIN_REFUSED] == 0, "nobody had asked for one"
    refused = "cccam-wrong-password"
    (login,) = [
        record
        for record in decoded(packets_of(refused), keyring(refused))
        if record.kind is Kind.LOGIN_REFUSED
    ]
    assert login.sender is Sender.SERVER
    assert decoded(packets, keyring(CCCAM))[-1].text == "closes the connection"
    reset = [*packets[:-2], replace(packets[-3], flags=RST, data=b"")]
    last = decoded(reset, keyring(CCCAM))[-1]
    assert (last.kind, last.facts["reset"]) == (Kind.CLOSED, True)
    assert "the capture ends here" in decoded(packets[:-2], keyring(CCCAM))[-1].text


# What cannot be read.


def test_a_wrong_password_leaves_what_the_server_says() -> None:
    records = decoded(packets_of(CCCAM), keyring(CCCAM, password="other"))
    assert unread(records) == [
        "the password known for it is another: what the client says cannot be read"
    ]
    found = kinds(records)
    assert found[Sender.CLIENT, Kind.ECM] == 0
    assert found[Sender.SERVER, Kind.CARD] == 1
    assert found[Sender.SERVER, Kind.ANSWER] == 4
    nobody = decoded(packets_of(CCCAM), Keyring())
    assert unread(nobody) == ["its password is not known: what the client says cannot be read"]
    assert unread(decoded(packets_of(EXTENDED), Keyring()))[0].startswith("its password")
    assert kinds(decoded(packets_of(EXTENDED), Keyring()))[Sender.SERVER, Kind.ANSWER] == 4


def test_a_person_is_asked_a_few_times_and_what_fits_is_used_again() -> None:
    asked: list[str] = []
    answers = iter([b"wrong", recorded(CCCAM)["password"].encode()])

    def ask(user: str) -> bytes | None:
        asked.append(user)
        return next(answers, None)

    ring = Keyring(ask_password=ask)
    later = [replace(p, at=p.at + 9, source=_moved(p.source), target=_moved(p.target))
             for p in packets_of(CCCAM)]  # fmt: skip
    assert unread(decoded([*packets_of(CCCAM), *later], ring)) == []
    assert asked == ["interop", "interop"]


def test_nobody_is_asked_without_end() -> None:
    asked: list[str] = []

    def ask(user: str) -> bytes:
        asked.append(user)
        return b"wrong"

    ring = Keyring(ask_password=ask)
    for user in range(30):
        for _ in range(2):
            assert ring.password(b"%d" % user, lambda password: False)[0] is None
    assert asked[:4] == ["0", "0", "0", "1"]
    assert len(asked) == 20


def _moved(end: tuple[str, int]) -> tuple[str, int]:
    return (end[0], end[1] + 1)


def test_another_des_key_is_said() -> None:
    records = decoded(packets_of(NEWCAMD), Keyring(keys=[bytes(14)]))
    assert unread(records) == ["none of the DES keys known fits: nothing can be read"]


@pytest.mark.parametrize(("name", "goes_on"), [(CCCAM, False), (NEWCAMD, True), (DVBAPI, True)])
def test_a_hole_is_said_and_what_can_be_read_goes_on(name: str, goes_on: bool) -> None:
    packets = packets_of(name, every=0.6)
    client = packets[0].source
    place = [n for n, packet in enumerate(packets) if packet.source == client and packet.data]
    lost = place[len(place) // 2]
    found = decoded([*packets[:lost], *packets[lost + 1 :]], keyring(name))
    said = unread(found)
    assert len(said) == 1
    assert f"{len(packets[lost].data)} bytes are not in the capture" in said[0]
    after = found[[record.kind for record in found].index(Kind.UNREAD) :]
    assert any(r.sender is Sender.CLIENT and r.kind is Kind.ECM for r in after) is goes_on
    assert any(r.sender is Sender.SERVER and r.kind is Kind.ANSWER for r in after)


def test_a_capture_begun_in_the_middle_is_said() -> None:
    for name in (CCCAM, NEWCAMD):
        records = decoded(packets_of(name)[9:], keyring(name))
        assert len(unread(records)) == len(records) == 1
        assert "it began before the capture" in records[0].text
    late = decoded(packets_of(DVBAPI)[9:], Keyring())  # in clear: it can be read all the same
    assert kinds(late)[Sender.SERVER, Kind.ANSWER] > 0


@pytest.mark.parametrize("name", [CCCAM, NEWCAMD, DVBAPI])
def test_wherever_a_capture_begins_nothing_breaks(name: str) -> None:
    packets = packets_of(name, size=11)[:150]
    for start in range(0, len(packets), 3):
        for record in decoded(packets[start:], keyring(name)):
            assert record.text


OTHERS: list[tuple[list[Said], str]] = [
    ([Said("client", b"GET / HTTP/1.1\r\n\r\n")], "a web browser"),
    ([Said("server", b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n")], "an SSH server"),
    ([Said("client", b"\x16\x03\x01\x02\x00")], "TLS"),
    ([Said("client", bytes(30))], "neither"),
    ([], "nothing was said"),
]


@pytest.mark.parametrize(("said", "words"), OTHERS)
def test_other_programs_are_named_and_passed_over(said: list[Said], words: str) -> None:
    call = Call()
    call.connect()
    call.say(said)
    call.close()
    (record,) = decoded(call.packets, Keyring())
    assert record.kind is Kind.OTHER
    assert words in record.text


@pytest.mark.parametrize(
    ("sender", "flags", "words"),
    [
        ("server", RST | ACK, "nothing was said: the server rejects it; nothing listens"),
        ("server", FIN | ACK, "nothing was said: the server closes it at once"),
        ("client", RST | ACK, "nothing was said"),
    ],
)
def test_who_ended_it_without_a_word_is_told(sender: str, flags: int, words: str) -> None:
    """A receiver that tries a port at which nothing listens: an outage, seen from the cable."""
    call = Call()
    call.send("client", flags=SYN)
    call.send(sender, flags=flags)
    call.send("client", flags=FIN | ACK)
    (record,) = decoded(call.packets, Keyring())
    assert record.kind is Kind.OTHER
    assert words in record.text
    assert record.text.endswith("nothing was said") is (sender == "client")


# Files.


def test_pcapng_and_other_links_are_read_too() -> None:
    packets = packets_of(CCCAM)
    whole = timeless(decoded(packets, keyring(CCCAM)))
    file = io.BytesIO()
    writer = dpkt.pcapng.Writer(file)
    for packet in packets:
        writer.writepkt(packet.frame(), packet.at)
    assert timeless(decoded_file(file.getvalue(), keyring(CCCAM))) == whole
    wrappings: list[tuple[int, Callable[[bytes], bytes]]] = [
        (101, lambda frame: frame[14:]),
        (113, lambda frame: bytes(14) + frame[12:]),
        (276, lambda frame: frame[12:14] + bytes(18) + frame[14:]),
        (0, lambda frame: b"\2\0\0\0" + frame[14:]),
        (1, lambda frame: frame[:12] + b"\x81\x00\x00\x07" + frame[12:]),
    ]
    for link, wrap in wrappings:
        file = io.BytesIO()
        plain = dpkt.pcap.Writer(file, linktype=link)
        for packet in packets:
            plain.writepkt(wrap(packet.frame()), packet.at)
        assert timeless(decoded_file(file.getvalue(), keyring(CCCAM))) == whole, link


def test_an_end_in_the_middle_is_said_after_what_came_before() -> None:
    data = pcap_of(packets_of(CCCAM))
    decoder = Decoder(keyring(CCCAM))
    found: list[Record] = []

    def read() -> None:
        for packet in read_packets(io.BytesIO(data[: len(data) * 2 // 3])):
            found.extend(decoder.take(packet))

    with pytest.raises(CaptureError, match="breaks off in the middle of a packet"):
        read()
    assert found == decoded(packets_of(CCCAM), keyring(CCCAM))[: len(found)]
    assert len(found) > 5


@pytest.mark.parametrize(
    "data",
    [b"", b"no capture at all, but text", b"\x0a\x0d\x0d\x0a" + bytes(40)],
)
def test_what_is_no_capture_is_said(data: bytes) -> None:
    with pytest.raises(CaptureError):
        list(read_packets(io.BytesIO(data)))


def test_a_compressed_capture_says_what_to_do() -> None:
    with pytest.raises(CaptureError, match="unpack it with gunzip"):
        list(read_packets(io.BytesIO(gzip.compress(pcap_of(packets_of(CCCAM))))))


CAPTURE = pcap_of(packets_of(CCCAM)[:12])


@given(st.integers(0, len(CAPTURE) - 1), st.binary(min_size=1, max_size=8), st.booleans())
def test_a_damaged_file_gives_a_clear_message_or_less(place: int, junk: bytes, cut: bool) -> None:
    data = CAPTURE[:place] + junk + (b"" if cut else CAPTURE[place + len(junk) :])
    with suppress(CaptureError):
        decoded_file(data, keyring(CCCAM))


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_a_length_that_cannot_be_is_not_read(kind: str) -> None:
    file = io.BytesIO()
    (dpkt.pcap if kind == "pcap" else dpkt.pcapng).Writer(file)
    block = b"\0" * 8 + b"\xff\xff\xff\x7f" * 2 if kind == "pcap" else b"\6\0\0\0\xff\xff\xff\x7f"

    class Endless(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 <= size < 1 << 21
            return super().read(size)

    with pytest.raises(CaptureError, match="was announced: the file is damaged"):
        list(read_packets(Endless(file.getvalue() + block + bytes(99))))


@given(st.binary(max_size=300))
def test_arbitrary_files(data: bytes) -> None:
    for head in (
        b"\x0a\x0d\x0d\x0a",
        b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(12) + b"\1\0\0\0",
    ):
        with suppress(CaptureError):
            decoded_file(head + data, Keyring())


@given(
    st.lists(st.tuples(st.sampled_from(["client", "server"]), st.binary(max_size=60)), max_size=9)
)
def test_whatever_is_said_breaks_nothing(said: list[tuple[str, bytes]]) -> None:
    for name in (CCCAM, NEWCAMD, DVBAPI):
        call = Call()
        call.connect()
        call.say(said_in(name)[:4])
        call.say(Said(*each) for each in said)
        call.close()
        assert decoded(call.packets, keyring(name))


# Bounds.


def test_what_waits_and_how_many_connections_are_kept_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cccamd.decode.streams.CONNECTIONS_LIMIT", 3)
    monkeypatch.setattr("cccamd.decode.streams.WAITING_LIMIT", 5)
    decoder = Decoder(Keyring())
    file = io.BytesIO(pcap_of(flood()))
    for packet in read_packets(file):
        list(decoder.take(packet))
        assert len(decoder._streams._connections) <= 3
        assert len(decoder._connections) <= 3
        for each in decoder._streams._connections.values():
            assert all(len(side.waiting) <= 6 for side in each.sides)
    list(decoder.finish())
    assert not decoder._connections


def flood() -> list[Sent]:
    """Many connections, of which each lacks a packet."""
    found: list[Sent] = []
    for number in range(8):
        ends = (("10.0.0.1", 1000 + number), ("10.0.0.2", 12_000))
        found.append(Sent(1.0, *ends, 10, 0, SYN))
        found += [Sent(1.0, *ends, 100 + 10 * k, 1, ACK, b"x" * 10) for k in range(20)]
        found.append(Sent(1.0, *ends, 400, 1, ACK | FIN))
    return found
