"""A channel whose key changes every so many seconds, on a clock that a test turns by hand."""

from dataclasses import dataclass, field

from cccamd.facts import ChannelMargin, EcmResult, Freeze
from cccamd.ids import Caid, Ident, Sid
from cccamd.values import Outcome
from cccamd.watch import (
    ClientLoggedOut,
    EcmFinished,
    Freezes,
    Happening,
    Judges,
    SeenReceiver,
    SeenWay,
    SourceAnswered,
)
from cccamd.watch.metrics.counting import Metrics
from cccamd.why import judge_freeze, judge_receiver

CAID, IDENT = Caid(0x0B00), Ident(0x030B00)
START = 1_800_000_000.0
SOURCE = "headend-a:12000"
JUDGES = Judges(freeze=judge_freeze, receiver=judge_receiver)
RESULTS = {Outcome.ANSWERED: EcmResult.CW, Outcome.CANNOT_DECODE: EcmResult.NOK2}


@dataclass
class Evening:
    """One server's freezes and metrics; `clock` is what the wall clock shows, beyond `START`."""

    period: float = 10.0
    clock: float = 0.0
    set_by: float = 0.0
    """By how much the wall clock was set since the beginning."""
    seen: dict[str, SeenReceiver] = field(default_factory=dict)
    told: list[Happening] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.freezes = Freezes(JUDGES, look=lambda client: self.seen.get(client[0]))
        self.metrics = Metrics()

    @property
    def now(self) -> float:
        return START + self.clock + self.set_by

    def tell(self, happening: Happening) -> list[Happening]:
        found = self.freezes.observe(happening)
        self._keep(found)
        return found

    def _keep(self, found: list[Happening]) -> None:
        self.told += found
        for each in found:
            self.metrics.observe(each)

    def wait(self, until: float) -> None:
        """Let time pass, a look each second."""
        while self.clock < until:
            self.clock = min(until, self.clock + 1.0)
            self._keep(self.freezes.advance(self.now))

    def ask(
        self,
        turn: int,
        seconds: float = 0.1,
        outcome: Outcome = Outcome.ANSWERED,
        *,
        account: str = "anna",
        sid: int = 1,
        late: float = 0.0,
        parity: int | None = None,
        ecm: int | None = None,
        tried: tuple[tuple[str, Outcome], ...] | None = None,
        weight: int = 1,
    ) -> None:
        """Ask for the ECM of a period at its beginning, or `late`; it takes so many seconds."""
        self.wait(turn * self.period + late + seconds)
        answered = outcome is Outcome.ANSWERED
        if tried is None:
            tried = () if answered and seconds < 0.5 else ((SOURCE, outcome),)
        number = turn if ecm is None else ecm
        self.tell(
            EcmFinished(
                at=self.now,
                account=account,
                caid=CAID,
                ident=IDENT,
                sid=Sid(sid),
                parity=0x80 + turn % 2 if parity is None else parity,
                fingerprint=f"{sid} {number}".encode(),
                result=RESULTS.get(outcome, EcmResult.NOK1),
                seconds=seconds,
                source=SOURCE if answered else "",
                cached=False,
                outcome=outcome,
                tried=tried,
                weight=weight,
            )
        )

    def watch(self, turns: range, outcome: Outcome = Outcome.ANSWERED, **words: object) -> None:
        for turn in turns:
            self.ask(turn, outcome=outcome, **words)  # type: ignore[arg-type]

    def source(self, outcome: Outcome, seconds: float, *, sid: int = 1, name: str = SOURCE) -> None:
        """A source says something now."""
        self.tell(
            SourceAnswered(
                at=self.now,
                source=name,
                caid=CAID,
                ident=IDENT,
                sid=Sid(sid),
                result=RESULTS.get(outcome, EcmResult.NOK1),
                outcome=outcome,
                seconds=seconds,
            )
        )

    def leave(self, account: str = "anna") -> None:
        self.tell(ClientLoggedOut(at=self.now, account=account, address="192.0.2.7", reason="bye"))

    def way(self, account: str = "anna", **words: float) -> None:
        """The way to a receiver is looked at."""
        way = SeenWay(self.now, 0.002, 0.001, 0, 0.0)._replace(**words)  # type: ignore[arg-type]
        self._keep(self.freezes.note_way((account, 0), way))

    def channel(self, account: str = "anna", sid: int = 1) -> ChannelMargin:
        report = self.freezes.report(self.now)
        return next(each for each in report.channels if (each.account, each.sid) == (account, sid))

    def open(self) -> list[Freeze]:
        return [each for each in self.freezes.report(self.now).freezes if not each.over]

    def past(self) -> list[Freeze]:
        return [each for each in self.freezes.report(self.now).freezes if each.over]
