"""How a link to an upstream does, and what that means: one set of words for everybody.

`explain` knows a link from the running server, `doctor` from a trial of its own too; both say
the same of the same trouble.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cccamd.cards import Rejected
from cccamd.facts import LinkState, SourceKind, SourceStatus
from cccamd.ids import NodeId, parse_endpoint
from cccamd.net import Step, explain_end
from cccamd.setup.cccamcfg import Config
from cccamd.setup.logins import Upstream
from cccamd.values import Offer
from cccamd.why.diagnosis import Check, Diagnosis, Grade, check_of_link, diagnose
from cccamd.why.evidence import Evidence
from cccamd.why.finding import Finding, Setting, Weight, upstream_line
from cccamd.why.network import RoundTrip
from cccamd.why.visibility import explain_rejection
from cccamd.wire.cccam import SEED_LENGTH, is_original_seed, is_partner_seed
from cccamd.wire.strangers import judge_greeting, judge_newcamd_greeting
from cccamd.wording import count, listed


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a trouble of a link means; `{line}`, `{host}` and `{port}` are filled in."""

    change: str
    causes: tuple[str, ...]
    """The most likely first."""

    def of(self, name: str, line: int, called: int | None = None) -> "Meaning":
        """Fill in what the C-line says; `name` is its host and port.

        `called`: the port that is called instead, by TLS.
        """
        host, port = parse_endpoint(name, default_port=0)
        words = {"line": f"line {line}", "host": host, "port": called or port}
        causes = tuple(cause.format(**words) for cause in self.causes)
        return Meaning(self.change.format(**words), causes)

    @property
    def numbered(self) -> tuple[str, ...]:
        """The causes, as a list for people."""
        return tuple(f"{number}. {cause}" for number, cause in enumerate(self.causes, 1))


MEANINGS: Final[Mapping[Step, Meaning]] = {
    Step.RESOLVE: Meaning(
        "check the spelling of the host in {line}, then try `getent hosts {host}`",
        (
            "the host is misspelt",
            "the dynamic DNS name has expired, or its updater has stopped",
        ),
    ),
    Step.NAME_SERVER: Meaning(
        "look whether this machine reaches its name server (/etc/resolv.conf): does any other"
        " name resolve, for instance with `getent hosts example.org`?",
        (
            "the name server of this machine does not answer: often that is the home router",
            "this machine has no connection to the internet",
            "/etc/resolv.conf names no server, or a wrong one",
        ),
    ),
    Step.CUT_OFF: Meaning(
        "look at the network of this machine with `ip address` and `ip route`: cable, Wi-Fi, and"
        " whether it has an address",
        (
            "the cable or Wi-Fi of this machine is out, or its interface is down",
            "it got no address: the router, which gives addresses (DHCP), was off as it asked",
            "the gateway setting of this machine is missing",
        ),
    ),
    Step.ROUTE: Meaning(
        "look at the network of this machine with `ip route`",
        (
            "this machine has no default route: cable, Wi-Fi or gateway setting",
            "the host has only an IPv6 address, and this machine has no IPv6",
            "the way leads through a tunnel (VPN) that is down",
        ),
    ),
    Step.ABSENT: Meaning(
        "see that the machine {host} is on and in this network, and compare its address with"
        " {line}",
        (
            "the machine is off, asleep or unplugged",
            "the address in {line} is wrong, or the machine has got another one by now",
            "it is in another part of the network, for instance a guest Wi-Fi",
        ),
    ),
    Step.GATEWAY: Meaning(
        "see that the router of this network is on, and this machine's cable or Wi-Fi leads to it",
        (
            "the router is off, starts anew, or its cable to this machine is out",
            "the router has got another address, and this machine's gateway setting is the old one",
            "the interface of this machine leads to another network by now",
        ),
    ),
    Step.UNREACHABLE: Meaning(
        "ask its owner whether the machine is on and its network works",
        (
            "the machine is off, and the router in front of it says so",
            "the connection of its network is down",
            "the name leads to an address that is no longer the right one",
        ),
    ),
    Step.FORBIDDEN: Meaning(
        "open port {port} in that firewall, for connections from this machine",
        (
            "a firewall rejects connections to port {port}",
            "it lets in certain addresses only, and ours is not among them",
            "the port in {line} is wrong, and the firewall rejects all others",
        ),
    ),
    Step.CONNECT_TIMEOUT: Meaning(
        "ask its owner whether port {port} is forwarded to the server and open in its firewall",
        (
            "the router in front of it does not forward port {port}, or its firewall drops it",
            "the machine is off",
            "the name leads to an address that is no longer the right one",
            "it is behind carrier-grade NAT, where nobody can connect from outside",
        ),
    ),
    Step.REFUSED: Meaning(
        "ask its owner whether the server runs, and on which port",
        (
            "the machine is on, but the server program does not run",
            "the port in {line} is wrong",
            "the server listens on another of its addresses only",
            "a firewall answers as if nothing listened (a reset)",
        ),
    ),
    Step.CONNECT: Meaning(
        "try the connection from another machine in this network",
        ("something on the way refuses it",),
    ),
    Step.NOT_PAIRED: Meaning(
        "pair both servers: run `cccamd pair` on each, and tell each the code of the other",
        (
            "only one of the two was told the code of the other",
            "the other server was set up anew, and has a new key",
            "paired in cccamd.toml is another name than the one given to `cccamd pair`",
        ),
    ),
    Step.TLS: Meaning(
        "ask its owner for the port in [tls] there, and write it as tls_port below the"
        " [[upstream]] of {line}",
        (
            "this is the port for clients without TLS",
            "the other server has no [tls] port, or an older cccamd",
            "something on the way answers instead, or cuts what it does not know",
        ),
    ),
    Step.OTHER_KEY: Meaning(
        "ask its owner, on a way that you trust, whether the key is new; only if it is, pair it"
        " anew with --replace",
        (
            "the other server was set up anew without its old key",
            "the address leads to another machine by now",
            "somebody on the way answers in its place",
        ),
    ),
    Step.SEED: Meaning(
        "ask its owner whether port {port} is that of the CCcam server, and whether we are banned",
        (
            "the server hangs or is overloaded",
            "a web server, or the port of another protocol, listens there: those say nothing until"
            " they are spoken to",
            "the server lets no connection from our address in",
        ),
    ),
    Step.HUNG_UP: Meaning(
        "ask its owner whether our address is let in",
        (
            "our address is banned there, perhaps after wrong logins",
            "the server admits certain networks only",
            "it has as many connections as it takes",
            "something else than a CCcam server listens on that port",
        ),
    ),
    Step.NEWCAMD: Meaning(
        "write an N-line for it, or ask its owner for the port of the CCcam server",
        ("port {port} is that of a newcamd server",),
    ),
    Step.STRANGER: Meaning(
        "ask its owner for the port of the CCcam server",
        ("something else than a CCcam server listens on port {port}",),
    ),
    Step.NO_GREETING: Meaning(
        "ask its owner whether port {port} is that of the newcamd server, and whether we are"
        " banned",
        (
            "the server hangs or is overloaded",
            "the port of another protocol: most say nothing until they are spoken to",
            "the server lets no connection from our address in",
        ),
    ),
    Step.CCCAM: Meaning(
        "write a C-line for it, or ask its owner for the port of the newcamd server",
        ("port {port} is that of a CCcam server",),
    ),
    Step.NOT_NEWCAMD: Meaning(
        "ask its owner for the port of the newcamd server",
        ("something else than a newcamd server listens on port {port}",),
    ),
    Step.DES_KEY: Meaning(
        "compare the 14 bytes of the DES key in {line} with those of port {port} at its owner",
        (
            "the DES key in {line} is another than that of port {port}",
            "each port of the server has a key of its own, and this is the key of another",
            "our address is banned there, or not let in",
        ),
    ),
    Step.DENIED: Meaning(
        "compare user name and password in {line} with those at its owner, letter by letter, and"
        " ask whether this account may use port {port}",
        (
            "wrong user name or password; capitals count",
            "the account was removed, has expired, or may not use this port",
            "somebody else is logged in with this account",
            "the card of that port is not there at the moment: OSCam refuses all logins then",
        ),
    ),
    Step.NO_CARD_DATA: Meaning(
        "ask its owner whether the card of port {port} is there, and for the server's log of this"
        " moment",
        (
            "the server took the login and then threw us out: the account is in use elsewhere",
            "it has no card for us, or hangs",
        ),
    ),
    Step.NO_SIGN: Meaning(
        "ask its owner whether the server works",
        (
            "the server hangs: its machine is there, and the program says nothing",
            "a router on the way forgot the connection",
        ),
    ),
    Step.UNSOUND: Meaning(
        "ask its owner for the server's log of that moment, and which program and version it is",
        (
            "the server program has a fault, or its machine is overloaded",
            "something on the way changes what is sent",
            "somebody means harm with it: then take {line} out",
        ),
    ),
    Step.LOGIN: Meaning(
        "compare user name and password in {line} with its owner's F-line, letter by letter, and"
        " see that nobody else uses them",
        (
            "wrong user name or password; capitals count",
            "the account was removed, has expired, or is switched off",
            "somebody else is logged in with this account",
            "the owner's F-line allows another address than ours only",
            "the owner asks for a newer version (MINIMUM CLIENT VERSION)",
        ),
    ),
    Step.INTRODUCTION: Meaning(
        "ask its owner for the server's log of this moment",
        (
            "the server took the login and then threw us out: the account is in use elsewhere",
            "it hangs, or is no program that we know",
        ),
    ),
    Step.THROWN_OUT: Meaning(
        "ask its owner for the server's log of that moment, and for MINIMUM CLIENT VERSION",
        (
            "the account is in use elsewhere, and the other login won",
            "the server asks for another version than we announce (MINIMUM CLIENT VERSION)",
            "the server was stopped just then",
        ),
    ),
    Step.CLOSED: Meaning(
        "ask its owner for the server's log of that moment",
        (
            "the server was stopped or started anew",
            "it ended our login: the account was changed, or is in use elsewhere",
        ),
    ),
    Step.RESET: Meaning(
        "ask its owner whether the server was started anew at that moment",
        (
            "the server program crashed or was killed",
            "its machine was started anew, and knows nothing of the connection",
            "a router on the way forgot the connection or cut it",
        ),
    ),
    Step.GONE: Meaning(
        "see whether the machine of {host} is on and reachable, for instance with `ping {host}`",
        (
            "the machine was switched off, or lost its power, cable or Wi-Fi",
            "its internet connection, or ours, was down or got another address",
        ),
    ),
    Step.NETWORK: Meaning(
        "look at the network of this machine with `ip address` and `ip route`",
        (
            "the cable or Wi-Fi of this machine was down, or its router",
            "a tunnel (VPN) on the way went down",
        ),
    ),
    Step.UNANSWERED: Meaning(
        "ask its owner whether the server and its card reader work",
        (
            "the server took a question and did not answer within the time: it hangs, or its"
            " reader does",
        ),
    ),
    Step.ENDED: Meaning(
        "nothing; our server comes back by itself",
        ("our own server ended the login: the configuration changed, or an error of cccamd",),
    ),
    Step.PAUSED: Meaning(
        "have it called again with `cccamd link resume {host}`",
        ("somebody has paused this link with `cccamd link pause`",),
    ),
}
"""What each step means when it fails."""

OUR_SIDE: Final = frozenset(
    {Step.NAME_SERVER, Step.CUT_OFF, Step.GATEWAY, Step.NETWORK, Step.ROUTE}
)
"""Whoever fails so says what is wrong at our own side."""
SHARED: Final = Meaning(
    "see that the router of this network is on and has its connection; if other machines here get"
    " out, ask the owners of these sources",
    (
        "the router of this network is off, or its connection to the internet is down",
        "a tunnel (VPN) or a firewall on the way that all of them have in common",
        "all of them are at one place, and that is cut off",
    ),
)
"""What it means that nothing comes from several at one time."""
_OTHERS_TOO: Final = "; others fail at the same time"
NO_CARDS: Final = Meaning(
    "ask its owner what the F-line of this account allows",
    (
        "the owner's F-line gives this account nothing: downhops 0, or a list that leaves all out",
        "the owner's cards are gone at the moment",
        "the owner has only cards of others, and may not pass them on (reshare 0)",
    ),
)
_NOT_TRIED: Final = Meaning("wait a moment, and look again", ())


def meaning_of(step: Step | None) -> Meaning:
    """What it means that an attempt or a login ended at some step; None: none has ended yet."""
    return _NOT_TRIED if step is None else MEANINGS[step]


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
