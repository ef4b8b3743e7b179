"""Every message: what is built can be read, and any bytes give a message or a refusal."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.values import ControlWords, Emm, Offer, Provider, Request, with_checksums
from cccamd.wire.cccam import (
    Capabilities,
    ClientData,
    MalformedError,
    PartnerText,
    ServerData,
    Version,
    parse_ecm,
    parse_emm,
    parse_offer,
    parse_version,
    parse_withdrawal,
    serialize_ecm,
    serialize_emm,
    serialize_offer,
    serialize_withdrawal,
)
from cccamd.wire.cccam.cipher import mask, without_signed_shift
from cccamd.wire.cccam.frames import Command, command_name
from cccamd.wire.cccam.messages import parse_text
from cccamd.wire.link import TextReceived

U8, U16, U24, U32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 24, 32))
NODES = st.binary(min_size=8, max_size=8).map(NodeId)
SIDS = st.lists(U16.map(Sid), max_size=200).map(tuple)
PROVIDERS = st.builds(Provider, U24.map(Ident), st.binary(min_size=4, max_size=4))
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=31)

ECMS = st.builds(
    Request,
    U16.map(Caid),
    U24.map(Ident),
    U32.map(ShareId),
    U16.map(Sid),
    st.binary(min_size=1, max_size=1007),
)
EMMS = st.builds(
    Emm, U16.map(Caid), U24.map(Ident), U32.map(ShareId), st.binary(min_size=1, max_size=1008)
)


def cards(sids: st.SearchStrategy[tuple[Sid, ...]]) -> st.SearchStrategy[Offer]:
    return st.builds(
        Offer,
        share_id=U32.map(ShareId),
        remote_id=U32,
        caid=U16.map(Caid),
        hop=U8,
        reshare=U8,
        ua=st.binary(min_size=8, max_size=8),
        providers=st.lists(PROVIDERS, max_size=32).map(tuple),
        assigned_sids=sids,
        rejected_sids=sids,
        path=st.lists(NODES, max_size=10).map(tuple),
    )


@given(ECMS)
def test_ecm_requests(request: Request) -> None:
    payload = serialize_ecm(request)
    assert parse_ecm(payload) == request
    assert payload[12] == len(request.section) & 0xFF


def test_an_ecm_request_ignores_the_top_byte_of_the_provider() -> None:
    payload = bytearray(serialize_ecm(Request(Caid(1), Ident(2), ShareId(3), Sid(4), b"\x80")))
    payload[2] = 0x77
    assert parse_ecm(bytes(payload)).ident == 2


@given(EMMS)
def test_emms(emm: Emm) -> None:
    assert parse_emm(serialize_emm(emm)) == emm


@given(cards(SIDS))
def test_cards_with_sids(card: Offer) -> None:
    assert parse_offer(serialize_offer(card, with_sids=True), with_sids=True) == card


@given(cards(st.just(())))
def test_cards_without_sids(card: Offer) -> None:
    assert parse_offer(serialize_offer(card, with_sids=False), with_sids=False) == card


@given(U32.map(ShareId))
def test_withdrawals(share_id: ShareId) -> None:
    assert parse_withdrawal(serialize_withdrawal(share_id)) == share_id


def test_a_card_without_its_tail_has_no_path() -> None:
    payload = bytes.fromhex("00000064000100007f00000a000000000000000001" + "00000a01000000")
    assert parse_offer(payload, with_sids=False).path == ()


@given(NODES, st.booleans(), TEXT, TEXT, st.binary(max_size=20).map(lambda b: b.rstrip(b"\0")))
def test_client_and_server_data(
    node: NodeId, emus: bool, version: str, build: str, user: bytes
) -> None:
    client = ClientData(
        user=user.split(b"\0")[0], node_id=node, want_emus=emus, version=version, build=build
    )
    assert len(client.serialize()) == 93
    assert ClientData.parse(client.serialize()) == client
    server = ServerData(node_id=node, version=version, build=build)
    parsed = ServerData.parse(server.serialize())
    assert (parsed.node_id, parsed.version, parsed.build) == (node, version, build)


def test_texts_are_cut_at_the_first_zero_and_may_start_late() -> None:
    raw = bytearray(93)
    raw[29:61] = (b"\0\0" + b"2.3.0\0\x07leftover memory").ljust(32, b"\xff")
    raw[61:93] = b"3367\0\0\xba\x7f".ljust(32, b"\0")
    data = ClientData.parse(bytes(raw))
    assert (data.version, data.build) == ("2.3.0", "3367")


def test_client_data_may_be_short_but_not_too_short() -> None:
    assert ClientData.parse(bytes(62)).build == ""
    with pytest.raises(MalformedError):
        ClientData.parse(bytes(61))


@given(st.lists(st.sampled_from(list(Capabilities)), unique=True), TEXT)
def test_partner_texts(names: list[Capabilities], program: str) -> None:
    capabilities = Capabilities.NONE
    for name in names:
        capabilities |= name
    text = PartnerText(program.strip("["), capabilities)
    assert parse_text(text.serialize()) == text


def test_partner_texts_of_real_programs() -> None:
    assert parse_text(b"PARTNER: OSCam v1.20, build r0 (x86_64-linux-gnu) [EXT,SID,SLP]") == (
        PartnerText(
            "OSCam v1.20, build r0 (x86_64-linux-gnu)",
            Capabilities.EXT | Capabilities.SID | Capabilities.SLP,
        )
    )
    assert parse_text(b"PARTNER: MultiX [EXT,NEWTHING]\0") == PartnerText(
        "MultiX", Capabilities.EXT
    )
    assert parse_text(b"PARTNER: MultiX r41 \0") == PartnerText("MultiX r41", Capabilities.NONE)
    assert parse_text(b"try later\n\0") == TextReceived("try later?")


PARSERS: list[Callable[[bytes], object]] = [
    ClientData.parse,
    ServerData.parse,
    parse_ecm,
    parse_emm,
    partial(parse_offer, with_sids=False),
    partial(parse_offer, with_sids=True),
    parse_withdrawal,
    parse_text,
]


@pytest.mark.parametrize("parse", PARSERS)
@given(data=st.binary(max_size=1020))
@example(data=b"")
def test_any_bytes_give_a_message_or_a_refusal(
    parse: Callable[[bytes], object], data: bytes
) -> None:
    with suppress(MalformedError):
        parse(data)


@given(
    st.binary(min_size=16, max_size=16),
    st.integers(0, (1 << 64) - 1),
    st.integers(0, (1 << 32) - 1),
)
def test_masking_follows_the_formula_and_undoes_itself(raw: bytes, node: int, share: int) -> None:
    naive = bytearray()
    for i, byte in enumerate(raw):
        value = byte ^ ((node >> (4 * i)) & 0xFF)
        if i % 2:
            value ^= 0xFF
        naive.append(value ^ ((share >> (2 * i)) & 0xFF))
    masked = mask(raw, node_id=node, share_id=share)
    assert masked == naive
    assert mask(masked, node_id=node, share_id=share) == raw


@given(st.binary(min_size=16, max_size=16))
def test_a_mask_with_a_signed_node_id_is_repaired(raw: bytes) -> None:
    right = with_checksums(raw)
    spoilt = right[:-1] + bytes([right[-1] ^ 0xF0])
    assert without_signed_shift(spoilt) == without_signed_shift(right) == right


@given(st.binary(min_size=16, max_size=16), st.booleans())
def test_checksums_are_valid_exactly_when_mending_changes_nothing(raw: bytes, mend: bool) -> None:
    cw = ControlWords(with_checksums(raw) if mend else raw)
    assert cw.checksums_valid == (cw.raw == with_checksums(cw.raw))


def test_control_words_keep_their_secret() -> None:
    cw = ControlWords(with_checksums(bytes(range(100, 116))))
    assert cw.checksums_valid
    assert not ControlWords(bytes(range(100, 116))).checksums_valid
    assert cw.even + cw.odd == cw.raw
    assert repr(cw) == str(cw) == "ControlWords(...)"
    with pytest.raises(ValueError, match="16 bytes"):
        ControlWords(b"short")


def test_names_of_commands_and_versions() -> None:
    assert command_name(Command.ECM) == "ECM"
    assert command_name(0x42) == "command 0x42"
    assert parse_version("2.0.11") == Version(2, 0, 11)
    assert parse_version("2.3") is None
    assert parse_version("²·3.0") is None
    assert Version(2, 0, 11) < Version(2, 1, 1)
