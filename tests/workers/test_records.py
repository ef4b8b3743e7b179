"""What a worker and the core tell each other comes out as it went in, in whatever pieces."""

import struct
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.facts import Revision
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.values import ControlWords, Emm, Offer, Provider, Refusal, Request
from cccamd.wire.cccam import Version
from cccamd.wire.link import (
    Closed,
    CloseReason,
    EmmReceived,
    Introduced,
    LoginProved,
    LoginRequested,
    LoginSucceeded,
    OffersDue,
    Peer,
    PeerChanged,
    RequestDropped,
    Requested,
    State,
    TextReceived,
)
from cccamd.workers import RemoteSide, frames, records
from cccamd.workers.records import RecordReader, Retold, Said, Told

CAIDS = st.integers(0, 0xFFFF).map(Caid)
SIDS = st.integers(0, 0xFFFF).map(Sid)
IDENTS = st.integers(0, 0xFFFFFF).map(Ident)
SHARE_IDS = st.integers(0, 0xFFFFFFFF).map(ShareId)
NODE_IDS = st.binary(min_size=8, max_size=8).map(NodeId)
TOKENS = st.integers(0, 2**63)
TEXTS = st.text(st.characters(exclude_categories=()), max_size=40)
PEERS = st.builds(
    Peer,
    node_id=st.none() | NODE_IDS,
    version=TEXTS,
    build=TEXTS,
    revision=st.none() | st.sampled_from(Revision),
    program=TEXTS,
    extended=st.booleans(),
    capabilities=st.lists(TEXTS, max_size=3).map(tuple),
)
REQUESTS = st.builds(Request, CAIDS, IDENTS, SHARE_IDS, SIDS, st.binary(max_size=300))
ENDS = st.builds(Closed, st.sampled_from(CloseReason), TEXTS)
EVENTS = st.one_of(
    st.builds(Requested, TOKENS, REQUESTS),
    st.builds(LoginRequested, st.binary(max_size=20)),
    st.just(LoginProved()),
    st.just(LoginSucceeded()),
    st.builds(Introduced, PEERS),
    st.builds(PeerChanged, PEERS),
    st.just(OffersDue()),
    st.builds(RequestDropped, TOKENS),
    st.builds(
        EmmReceived, st.builds(Emm, CAIDS, IDENTS, SHARE_IDS, st.binary(min_size=1, max_size=99))
    ),
    st.builds(TextReceived, TEXTS),
    st.builds(Retold, TEXTS, st.booleans(), st.booleans()),
    ENDS,
)
SID_LISTS = st.lists(SIDS, max_size=5).map(tuple)
OFFERS = st.builds(
    Offer,
    share_id=SHARE_IDS,
    remote_id=st.integers(0, 0xFFFFFFFF),
    caid=CAIDS,
    hop=st.integers(0, 255),
    reshare=st.integers(0, 255),
    ua=st.binary(min_size=8, max_size=8),
    providers=st.lists(
        st.builds(Provider, IDENTS, st.binary(min_size=4, max_size=4)), max_size=4
    ).map(tuple),
    assigned_sids=SID_LISTS,
    rejected_sids=SID_LISTS,
    path=st.lists(NODE_IDS, max_size=4).map(tuple),
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[begin:end] for begin, end in pairwise(places)]


@given(st.lists(EVENTS, max_size=8), st.lists(st.integers(0, 10_000), max_size=8))
def test_every_event_comes_out_as_it_went_in(events: list, cuts: list[int]) -> None:  # type: ignore[type-arg]
    reader, out = RecordReader(), []
    for piece in pieces(b"".join(map(records.tell, events)), cuts):
        out += [records.read_told(kind, body) for kind, body in reader.read(piece)]
    assert out == events


@given(st.lists(EVENTS, max_size=8), st.lists(st.integers(0, 10_000), max_size=8))
def test_the_core_hears_nothing_after_the_end(events: list, cuts: list[int]) -> None:  # type: ignore[type-arg]
    """Its object keeps the promises of all protocol objects: one `Closed`, and then nothing."""
    side = RemoteSide(lambda user: Version(2, 3, 0))
    out: list[object] = []
    for piece in pieces(b"".join(map(records.tell, events)), cuts):
        side.receive_data(piece, 0.0)
        out += side.events_received()
    side.receive_eof(0.0)
    out += side.events_received()
    ends = [event for event in out if isinstance(event, Closed)]
    assert len(ends) == 1
    assert out[-1] is ends[0]
    assert side.state is State.CLOSED


@given(OFFERS, SHARE_IDS, TOKENS, st.binary(min_size=16, max_size=16), st.sampled_from(Refusal))
def test_what_the_core_says_comes_out_as_it_went_in(
    offer: Offer, share_id: ShareId, token: int, cw: bytes, refusal: Refusal
) -> None:
    side = RemoteSide(lambda user: Version(2, 1, 1))
    side.announce(offer)
    side.withdraw(share_id)
    side.answer(token, ControlWords(cw))
    side.refuse(token, refusal)
    side.authenticate(cw, hold=True)
    side.accept_login(0.0)
    side.send_keepalive()
    said = list(RecordReader().read(side.data_to_send()))
    assert [kind for kind, _ in said] == [
        Said.ANNOUNCE,
        Said.WITHDRAW,
        Said.ANSWER,
        Said.REFUSE,
        Said.AUTHENTICATE,
        Said.ACCEPT_LOGIN,
        Said.KEEPALIVE,
    ]
    bodies = [body for _, body in said]
    assert records.unpack_offer(bodies[0]) == offer
    assert records.unpack_withdrawal(bodies[1]) == share_id
    assert records.unpack_answer(bodies[2]) == (token, ControlWords(cw))
    assert records.unpack_refusal(bodies[3]) == (token, refusal)
    assert records.unpack_password(bodies[4]) == (cw, Version(2, 1, 1), True)


@given(st.integers(0, 255), st.binary(max_size=60))
def test_what_is_no_record_is_an_error_and_nothing_worse(kind: int, body: bytes) -> None:
    # The connection ends with it, and one line says so.
    with suppress(ValueError, KeyError, IndexError, TypeError, struct.error):
        records.read_told(kind, body)


@given(
    st.lists(st.tuples(st.sampled_from(frames.Kind), st.integers(0, 2**32 - 1), st.binary())),
    st.lists(st.integers(0, 10_000), max_size=8),
)
def test_frames_come_out_as_they_went_in(
    sent: list[tuple[frames.Kind, int, bytes]], cuts: list[int]
) -> None:
    cutter, out = frames.FrameCutter(), []
    for piece in pieces(b"".join(frames.pack(*each) for each in sent), cuts):
        out += list(cutter.cut(piece))
    assert out == sent


def test_a_record_of_nobody_is_told() -> None:
    with pytest.raises(ValueError, match="told 99"):
        records.read_told(99, b"")
    assert records.read_told(Told.HEARD, b"") is None
