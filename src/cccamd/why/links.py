"""How a link to an upstream does, and what that means: one set of words for everybody.

`explain` knows a link from the running server, `doctor` from a trial of its own too; both say
the same of the same trouble.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cccamd.cards import Rejected
from cccamd.facts import LinkState, SourceKind, SourceStatus
from cccamd.ids import NodeId
from cccamd.net import Step, explain_end
from cccamd.setup.cccamcfg import Config
from cccamd.setup.logins import Upstream
from cccamd.values import Offer
from cccamd.why.diagnosis import Check, Diagnosis, Grade, check_of_link, diagnose
from cccamd.why.evidence import Evidence
from cccamd.why.finding import Finding, Setting, Weight, upstream_line
from cccamd.why.meanings import MEANINGS, NO_CARDS, OUR_SIDE, SHARED, Meaning, meaning_of
from cccamd.why.network import RoundTrip
from cccamd.why.visibility import explain_rejection
from cccamd.wire.cccam import SEED_LENGTH, is_original_seed, is_partner_seed
from cccamd.wire.strangers import judge_greeting, judge_newcamd_greeting
from cccamd.wording import count, listed

_OTHERS_TOO: Final = "; others fail at the same time"


def what_to_do(source: SourceStatus) -> str:
    """What to do about a link that is down, whatever becomes of others."""
    return meaning_of(source.failed_step).of(source.name, source.line, source.tls_port).change


def with_others(source: SourceStatus, text: str) -> tuple[str, str]:
    """What to say of a link that is down, and what to do about it, as others may fail with it."""
    if source.shared_advice:
        return text + _OTHERS_TOO, source.shared_advice
    return text, what_to_do(source)


def how_it_is(how: str, source: SourceStatus) -> str:
    """`logged in`, with what protects the link, if anything does."""
    return f"{how} by TLS, paired as {source.paired}" if source.paired else how


def logged_in(how: str, taken: int, rejected: int, place: Setting) -> Finding:
    """Say that a link is up and brings cards; `how` we know of it."""
    text = f"{how}, {count(taken, 'card')} taken"
    if rejected:
        text += f", {rejected:,} not taken"
    return Finding(code="up", weight=Weight.GOOD, text=text, setting=place)


def without_cards(how: str, rejected: int, line: int, config: Config) -> Finding:
    """Say why a link is up and brings none; `line` is that of its C-line or N-line."""
    place = upstream_line(config, line)
    if not rejected:
        return Finding(
            code="announces-nothing",
            weight=Weight.BAD,
            text=f"{how}, but it announces no cards to us",
            change=NO_CARDS.change,
            setting=place,
        )
    announced = count(rejected, "card")
    return Finding(
        code="all-rejected",
        weight=Weight.BAD,
        text=f"{how}, but our own settings leave out all of the {announced} that it announces",
        change=_settings_to_look_at(line, config),
        setting=place,
    )


def _settings_to_look_at(line: int, config: Config) -> str:
    limited = any(found.limits for found in config.c_lines if found.line == line)
    settings = [f"the limits in line {line}"] if limited else []
    settings += ["MINIMUM DOWNHOPS"] if config.settings.minimum_downhops else []
    settings += ["IGNORE NODE"] if config.settings.ignore_nodes else []
    if not settings:
        return "nothing: its cards all come from this server itself"
    return f"look at {listed(settings)} of {config.file}"


# What the doctor found out by itself.


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How far one got at one server."""

    reached: Step = Step.RESOLVE
    """The step that failed; else `UP`, or `LOGIN` when the login was left out."""
    failed: bool = True
    detail: str = ""
    addresses: tuple[str, ...] = ()
    """What the name resolves to."""
    round_trip: RoundTrip | None = None
    """None: there was no connection."""
    greeting: bytes = b""
    """The first bytes that the server sent: a seed, or as many as tell who it is."""
    hung_up: bool = False
    """It closed the connection before it had sent a seed."""
    node_id: NodeId | None = None
    program: str = ""
    cards: tuple[Offer, ...] = field(default=(), repr=False)


def is_seed(greeting: bytes) -> bool:
    """Whether a CCcam server begins like this (docs/protocol.md section 4)."""
    whole = len(greeting) == SEED_LENGTH
    return whole and (is_original_seed(greeting) or is_partner_seed(greeting))


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedLink:
    """One C-line or N-line, and what was found out about it."""

    upstream: Upstream
    trial: Trial
    running: SourceStatus | None = None
    """The same link in our running server."""
    tried_advice: str = ""
    """What to do when its trial fails together with others; empty: its trouble is its own."""
    taken: int = 0
    """How many of the trial's cards we would take."""
    rejected: tuple[Rejected, ...] = ()

    @property
    def name(self) -> str:
        """Host and port as in the line."""
        return self.upstream.name

    @property
    def shared_advice(self) -> str:
        """What to do about it when others fail with it: a running server knows best."""
        return self.tried_advice if self.running is None else self.running.shared_advice

    @property
    def check(self) -> Check:
        """What the doctor calls looking at it."""
        return check_of_link(self.upstream.kind)

    @property
    def line(self) -> int:
        """Where the C-line or N-line stands."""
        return self.upstream.line.line


def judge_link(tried: TriedLink, evidence: Evidence) -> Diagnosis:
    """Say how far one gets; a link that is up in our running server counts more than a trial."""
    running, trial = tried.running, tried.trial
    if running is not None and running.state is LinkState.UP:
        how = how_it_is("our server is logged in", running)
        return _judge_cards(tried, how, running.cards, running.cards_rejected, evidence)
    if trial.failed:
        return _judge_failure(tried, evidence)
    if trial.reached is Step.UP:
        return _judge_cards(tried, "login works", tried.taken, len(tried.rejected), evidence)
    if running is not None and running.failed_step is not None:
        text = f"it answers, but our server is {running.state.value}: {running.last_failure}"
        return _down(tried, text, running.failed_step, evidence)
    text = (
        "name, connection and seed are fine; the login was left out, because our server runs"
        " and a second login with the same account would throw out the first"
    )
    return diagnose(tried.check, Grade.OK, "login-left-out", text, subject=tried.name)


def judge_running_link(tried: TriedLink, evidence: Evidence) -> Diagnosis | None:
    """Say how a link of our running server does, without any trial; None: its first attempt has
    not ended yet."""
    running = tried.running
    if running is not None and running.state is LinkState.UP:
        how = how_it_is("our server is logged in", running)
        return _judge_cards(tried, how, running.cards, running.cards_rejected, evidence)
    if running is None or running.failed_step is None:
        return None
    text = f"our server is {running.state.value}: {running.last_failure}"
    return _down(tried, text, running.failed_step, evidence)


def _judge_failure(tried: TriedLink, evidence: Evidence) -> Diagnosis:
    trial = tried.trial
    step = trial.reached
    text = f"{step.value}: {trial.detail}" if trial.detail else step.value
    if step is _FIRST_WORDS.get(tried.upstream.kind):
        step, text = _judge_greeting(trial, tried.upstream.kind)
    return _down(tried, text, step, evidence)


_FIRST_WORDS: Final = {SourceKind.CCCAM: Step.SEED, SourceKind.NEWCAMD: Step.NO_GREETING}
"""What did not come as it should, by what was expected."""


def _judge_greeting(trial: Trial, kind: SourceKind) -> tuple[Step, str]:
    if kind is SourceKind.NEWCAMD:
        closed = judge_newcamd_greeting(trial.greeting, over=trial.hung_up)
        failure = explain_end(closed, introduced=False)
        return failure.step, failure.text
    if is_seed(trial.greeting):
        return Step.HUNG_UP, "it sent a seed at first, and none when we came again"
    closed = judge_greeting(trial.greeting, over=trial.hung_up)
    failure = explain_end(closed, introduced=False)
    return failure.step, failure.text


def _down(tried: TriedLink, text: str, step: Step, evidence: Evidence) -> Diagnosis:
    meant = MEANINGS[step].of(tried.name, tried.line, tried.upstream.tls_port)
    if tried.shared_advice:
        meant = Meaning(tried.shared_advice, (meant if step in OUR_SIDE else SHARED).causes)
        text += _OTHERS_TOO
    place = evidence.c_line(tried.line)
    finding = Finding(code="down", weight=Weight.BAD, text=text, change=meant.change, setting=place)
    return _diagnosis(tried, Grade.FAILURE, finding, meant.numbered)


def _judge_cards(
    tried: TriedLink, how: str, taken: int, rejected: int, evidence: Evidence
) -> Diagnosis:
    reasons = tuple(_rejections(tried, evidence))
    if taken:
        finding = logged_in(how, taken, rejected, evidence.c_line(tried.line))
        return _diagnosis(tried, Grade.OK, finding, reasons)
    finding = without_cards(how, rejected, tried.line, evidence.config)
    more = reasons if rejected else NO_CARDS.of(tried.name, tried.line).numbered
    return _diagnosis(tried, Grade.WARNING, finding, more)


def _rejections(tried: TriedLink, evidence: Evidence) -> Iterable[str]:
    texts = Counter(
        explain_rejection(rejected, tried.name, tried.line, evidence).text
        for rejected in tried.rejected
    )
    return (f"not taken ({times}): {text}" for text, times in texts.most_common(3))


def _diagnosis(
    tried: TriedLink, grade: Grade, finding: Finding, more: tuple[str, ...]
) -> Diagnosis:
    return Diagnosis(check=tried.check, grade=grade, finding=finding, subject=tried.name, more=more)


def running_link(upstream: Upstream, sources: Iterable[SourceStatus]) -> SourceStatus | None:
    """Find a C-line's link among those of a running server."""
    same = [
        source
        for source in sources
        if source.kind is upstream.kind and source.name == upstream.name
    ]
    exact = [source for source in same if source.line == upstream.line.line]
    # Lines move when a file is edited: without a twin the name will do.
    return next(iter(exact or (same if len(same) == 1 else ())), None)
