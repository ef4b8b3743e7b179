"""Whatever a client lists and stops, and whatever the cards do: what it believes is what we do."""

from dvbreceiver import Cards, Receiver, cw, ecm, pmt
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cccamd.softcam import SetHalf
from cccamd.values import Refusal
from cccamd.wire.dvbapi import Command, ListManagement, Parity

CAIDS = (0x0B00, 0x0D05, 0x0604)
ECM_PIDS = (200, 201, 202)
CA = st.lists(st.tuples(st.sampled_from(CAIDS), st.sampled_from((*ECM_PIDS, 0x1FFF))), max_size=3)
PIDS = st.lists(st.integers(100, 104), max_size=4, unique=True)


class SoftcamMachine(RuleBasedStateMachine):
    """The receiver checks each order; here is what holds between them."""

    def __init__(self) -> None:
        super().__init__()
        self.receiver = Receiver(Cards(CAIDS[0]))
        self.filtered: dict[int, bool] = {}
        self.count = 0

    @rule(
        sid=st.integers(1, 4),
        adapter=st.integers(0, 1),
        ca=CA,
        own=st.dictionaries(st.integers(100, 104), CA, max_size=2),
        pids=PIDS,
        manage=st.sampled_from(ListManagement),
        command=st.sampled_from(Command),
        tsid=st.sampled_from((None, 7)),
    )
    def list_one(self, manage: ListManagement, **words: object) -> None:
        self.receiver.say(pmt(manage=manage, **words))  # type: ignore[arg-type]

    @rule(number=st.sampled_from((0, 1, 5, 255)))
    def stop(self, number: int) -> None:
        self.receiver.stop(number)

    @rule(pid=st.sampled_from(ECM_PIDS), chain=st.integers(0, 2), again=st.booleans())
    def send(self, pid: int, chain: int, again: bool) -> None:
        self.count += not again
        self.receiver.send(ecm(self.count, chain=chain), pid)

    @precondition(lambda self: self.receiver.asks)
    @rule(data=st.data(), even=st.integers(0, 250), odd=st.integers(0, 250))
    def answer(self, data: st.DataObject, even: int, odd: int) -> None:
        token = data.draw(st.sampled_from(sorted(self.receiver.asks)))
        orders = self.receiver.answer(cw(even, odd), token)
        told = {each.parity: each.cw for each in orders if isinstance(each, SetHalf)}
        for parity, half in ((Parity.EVEN, even), (Parity.ODD, odd)):
            assert told.get(parity, bytes((half,)) * 8) == bytes((half,)) * 8

    @precondition(lambda self: self.receiver.asks)
    @rule(data=st.data(), refusal=st.sampled_from(Refusal))
    def refuse(self, data: st.DataObject, refusal: Refusal) -> None:
        self.receiver.refuse(refusal, data.draw(st.sampled_from(sorted(self.receiver.asks))))

    @rule(token=st.integers(0, 200))
    def answer_nobody(self, token: int) -> None:
        if token not in self.receiver.asks:
            assert self.receiver.answer(cw(1), token) == []

    @rule(served=st.sets(st.sampled_from(CAIDS)))
    def change_cards(self, served: set[int]) -> None:
        self.receiver.change_cards(*served)

    @rule(seconds=st.sampled_from((0.1, 1.0, 2.5, 11.0, 200.0)))
    def wait(self, seconds: float) -> None:
        self.receiver.wait(seconds)

    @invariant()
    def no_service_is_without_a_filter_that_had_one(self) -> None:
        has = dict.fromkeys(self.receiver.services, False)
        for service in self.receiver.softcam.services:
            numbers = {number for demux, number in self.receiver.filters if demux == service.demux}
            assert {number for number, _ in service.filters.all()} == numbers
            has[service.number] = bool(numbers)
            chosen = {each.chosen.pid for each in service.sets if each.chosen is not None}
            assert not chosen or chosen == set(service.filters.ecm_pids)
        for number, had in self.filtered.items():
            assert number not in has or has[number] or not had
        self.filtered = has

    @invariant()
    def no_index_is_shared(self) -> None:
        services = self.receiver.softcam.services
        indices = [each.index for service in services for each in service.sets]
        assert len(indices) == len(set(indices))
        assert set(self.receiver.pids.values()) <= set(indices)

    @invariant()
    def all_that_is_asked_has_somebody_who_waits(self) -> None:
        assert len(self.receiver.asks) == self.receiver.softcam.pending
        assert {each.number for each in self.receiver.softcam.services} == set(
            self.receiver.services
        )

    @invariant()
    def nothing_that_is_due_is_overdue(self) -> None:
        at = self.receiver.softcam.next_deadline()
        assert at is None or at > self.receiver.now - 1e-9

    def teardown(self) -> None:
        self.receiver.stop(255)
        assert self.receiver.is_clean
        assert self.receiver.softcam.next_deadline() is None
        assert not len(self.receiver.softcam._hands.numbers)
        assert not self.receiver.softcam._hands.descrambled._indices
        assert not self.receiver.house.caretakers._held


TestSoftcam = SoftcamMachine.TestCase
TestSoftcam.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
