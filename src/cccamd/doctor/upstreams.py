"""How each C-line does: which step fails, and what that means in the order of likelihood."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cccamd.cards import Rejected, SourcePolicy
from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.doctor.running import RunningSource
from cccamd.doctor.trial import SEED_LENGTH, Trial, is_seed
from cccamd.doctor.wording import count, listed
from cccamd.ids import format_endpoint
from cccamd.net import Step
from cccamd.setup.cccamcfg import CLine

NEWCAMD_GREETING_LENGTH: Final = 14
"""A newcamd server begins with so many random bytes."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a failed step means."""

    advice: str
    causes: tuple[str, ...]
    """The most likely first."""


MEANINGS: Final[Mapping[Step, Meaning]] = {
    Step.RESOLVE: Meaning(
        "Check the spelling of the host in {line}, then try: getent hosts {host}",
        (
            "the host is misspelt",
            "the dynamic DNS name has expired, or its updater has stopped",
            "this machine cannot reach its name server: does any other name resolve?",
        ),
    ),
    Step.ROUTE: Meaning(
        "Look at the network of this machine: ip route",
        (
            "this machine has no default route: cable, Wi-Fi or gateway setting",
            "the host has only an IPv6 address, and this machine has no IPv6",
            "the way leads through a tunnel (VPN) that is down",
        ),
    ),
    Step.CONNECT_TIMEOUT: Meaning(
        "Ask its owner whether port {port} is forwarded to the server and open in its firewall.",
        (
            "the router in front of it does not forward port {port}, or its firewall drops it",
            "the machine is off",
            "the name leads to an address that is no longer the right one",
            "it is behind carrier-grade NAT, where nobody can connect from outside",
        ),
    ),
    Step.REFUSED: Meaning(
        "Ask its owner whether the server runs, and on which port.",
        (
            "the machine is on, but the server program does not run",
            "the port in {line} is wrong",
            "the server listens on another of its addresses only",
        ),
    ),
    Step.CONNECT: Meaning(
        "Try the connection from another machine in this network.",
        ("something on the way refuses it",),
    ),
    Step.SEED: Meaning(
        "Ask its owner whether port {port} is that of the CCcam server, and whether we are banned.",
        (
            "the server hangs or is overloaded",
            "something else listens on that port",
            "the server lets no connection from our address in",
        ),
    ),
    Step.LOGIN: Meaning(
        "Compare user name and password in {line} with its owner's F-line, letter by letter.",
        (
            "wrong user name or password; capitals count",
            "the account was removed, has expired, or is switched off",
            "somebody else is logged in with this account",
            "the owner's F-line allows another address than ours only",
            "the owner asks for a newer version (MINIMUM CLIENT VERSION)",
        ),
    ),
    Step.INTRODUCTION: Meaning(
        "Ask its owner for the server's log of this moment.",
        (
            "the server took the login and then threw us out: the account is in use elsewhere",
            "it asks for a version that we do not announce",
        ),
    ),
}
"""What each step means when it fails; `{line}`, `{host}` and `{port}` are filled in."""

_HUNG_UP: Final = Meaning(
    "Ask its owner whether our address is let in.",
    (
        "our address is banned there, perhaps after wrong logins",
        "the server admits certain networks only",
        "it has as many connections as it takes",
        "something else than a CCcam server listens on that port",
    ),
)
_NEWCAMD: Final = Meaning(
    "Write an N-line for it, or ask its owner for the port of the CCcam server.",
    ("port {port} is that of a newcamd server", "something else listens on that port"),
)
_STRANGER: Final = Meaning(
    "Ask its owner for the port of the CCcam server.",
    ("something else than a CCcam server listens on port {port}",),
)
_NO_CARDS: Final = Meaning(
    "Ask its owner what the F-line of this account allows.",
    (
        "the owner's F-line gives this account nothing: downhops 0, or a list that leaves all out",
        "the owner's cards are gone at the moment",
        "the owner has only cards of others, and may not pass them on (reshare 0)",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """One C-line, and what was found out about it."""

    line: CLine
    trial: Trial
    running: RunningSource | None = None
    """The same link in our running server."""
    policy: SourcePolicy
    taken: int = 0
    """How many of the trial's cards we would take."""
    rejected: tuple[Rejected, ...] = ()

    @property
    def name(self) -> str:
        """Host and port as in the line."""
        return format_endpoint(self.line.host, self.line.port)


def judge_upstream(patient: Patient) -> Finding:
    """Say how far one gets; a link that is up in our running server counts more than a trial."""
    running, trial = patient.running, patient.trial
    if running is not None and running.state == "up":
        return _judge_cards(
            patient, running.cards, running.cards_rejected, "our server is logged in"
        )
    if trial.failed:
        return _judge_failure(patient)
    if trial.reached is Step.UP:
        rejected = len(patient.rejected)
        return _judge_cards(patient, patient.taken, rejected, "login works")
    if running is not None and running.last_failure:
        what = f"it answers, but our server is {running.state}: {running.last_failure}"
        return _finding(patient, Verdict.FAILURE, what, MEANINGS[Step.LOGIN])
    return Finding(
        check=Check.UPSTREAM,
        subject=patient.name,
        verdict=Verdict.OK,
        evidence=(
            "name, connection and seed are fine; the login was left out, because our server runs"
            " and a second login with the same account would throw out the first"
        ),
    )


def _judge_failure(patient: Patient) -> Finding:
    trial = patient.trial
    what = f"{trial.reached.value}: {trial.detail}" if trial.detail else trial.reached.value
    meaning = MEANINGS[trial.reached]
    if trial.reached is Step.SEED:
        what, meaning = _describe_silence(trial)
    return _finding(patient, Verdict.FAILURE, what, meaning)


def _describe_silence(trial: Trial) -> tuple[str, Meaning]:
    came = len(trial.greeting)
    if is_seed(trial.greeting):
        return "it sent a seed at first, and none when we came again", _HUNG_UP
    if came == SEED_LENGTH:
        return "what it sends is no seed of CCcam", _STRANGER
    if came == NEWCAMD_GREETING_LENGTH and not trial.hung_up:
        return f"it sends {came} bytes and waits, as newcamd servers do", _NEWCAMD
    if came:
        return f"it sends {came} bytes instead of a seed of {SEED_LENGTH}", _STRANGER
    if trial.hung_up:
        return "it takes the connection and closes it at once", _HUNG_UP
    return "it takes the connection, and then says nothing", MEANINGS[Step.SEED]


def _judge_cards(patient: Patient, taken: int, rejected: int, how: str) -> Finding:
    if taken:
        left = f"; {rejected:,} more not taken" if rejected else ""
        evidence = f"{how}, {count(taken, 'card')}{left}"
        return Finding(
            check=Check.UPSTREAM,
            subject=patient.name,
            verdict=Verdict.OK,
            evidence=evidence,
            more=_reasons(patient),
        )
    if rejected:
        return Finding(
            check=Check.UPSTREAM,
            subject=patient.name,
            verdict=Verdict.WARNING,
            evidence=f"{how}, but our own settings leave out all of its {count(rejected, 'card')}",
            advice=_setting_advice(patient),
            more=_reasons(patient),
        )
    return _finding(patient, Verdict.WARNING, f"{how}, but it offers 0 cards", _NO_CARDS)


def _setting_advice(patient: Patient) -> str:
    settings = [f"the limits in line {patient.line.line}"] if patient.policy.limits else []
    settings += ["MINIMUM DOWNHOPS"] if patient.policy.minimum_downhops else []
    settings += ["IGNORE NODE"] if patient.policy.ignore_nodes else []
    if not settings:
        return "Its cards all come from this server itself; nothing is lost."
    return f"Look at {listed(settings)} of CCcam.cfg."


def _reasons(patient: Patient) -> tuple[str, ...]:
    texts = Counter(rejected.text for rejected in patient.rejected)
    return tuple(f"not taken ({times}): {text}" for text, times in texts.most_common(3))


def _finding(patient: Patient, verdict: Verdict, evidence: str, meaning: Meaning) -> Finding:
    line = patient.line
    words = {"line": f"line {line.line}", "host": line.host, "port": line.port}
    return Finding(
        check=Check.UPSTREAM,
        subject=patient.name,
        verdict=verdict,
        evidence=evidence,
        advice=meaning.advice.format(**words),
        more=tuple(
            f"{number}. {cause.format(**words)}" for number, cause in enumerate(meaning.causes, 1)
        ),
    )
