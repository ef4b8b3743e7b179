"""Who can reach this machine, how far the sources are, and how fast they answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Final

from cccamd.facts import OVERLOADED_SECONDS, SLOW_SECONDS, LinkState, SourceStatus
from cccamd.machine import Addresses
from cccamd.why.answering import explain_answers
from cccamd.why.diagnosis import Check, Diagnosis, Grade, check_of_link, diagnose
from cccamd.wording import count, listed, milliseconds

CARRIER_GRADE: Final = IPv4Network("100.64.0.0/10")
"""RFC 6598: providers put many customers behind one public address with it."""

TUNNEL_OUTLINE: Final = (
    "How to be reached all the same, with WireGuard (one machine of yours needs a public address:",
    "a small rented server will do, or the other household's router):",
    "  1. there:  wg genkey | tee private.key | wg pubkey > public.key     (here as well)",
    "  2. there, /etc/wireguard/wg0.conf:",
    "       [Interface]  Address = 10.66.0.1/24, ListenPort = 51820, PrivateKey = (theirs)",
    "       [Peer]       PublicKey = (ours), AllowedIPs = 10.66.0.2/32",
    "  3. here, /etc/wireguard/wg0.conf:",
    "       [Interface]  Address = 10.66.0.2/24, PrivateKey = (ours)",
    "       [Peer]       PublicKey = (theirs), Endpoint = (their address):51820,",
    "                    AllowedIPs = 10.66.0.0/24, PersistentKeepalive = 25",
    "  4. on both: systemctl enable --now wg-quick@wg0",
    "  5. the receivers' C-lines then name 10.66.0.2, which cccamd lets in as a private address",
)
LONG: Final = 0.100
TOO_LONG: Final = 0.150
"""Seconds: between the two a picture is at risk when anything else is slow, too."""
UNSTEADY: Final = 0.020
"""Seconds of jitter that a cable does not have."""
GIVEN_UP: Final = 3.0
"""Seconds after which the first receivers no longer wait."""
ENOUGH: Final = 20
"""Requests from which on the share of answers says something."""
POOR_SHARE: Final = 0.5


# The address.

_address = partial(diagnose, Check.ADDRESS)


def judge_address(addresses: Addresses, *, port: int, expects_strangers: bool) -> Diagnosis:
    """Say what will work and what won't.

    `expects_strangers`: cccamd.toml lets clients in from networks outside the house.
    """
    outward = addresses.outward
    if outward is None:
        return _judge_without_ipv4(addresses)
    if outward in CARRIER_GRADE:
        return _judge_carrier_grade(addresses, outward, expects_strangers=expects_strangers)
    if outward.is_private:
        return _judge_private(addresses, outward, port, expects_strangers=expects_strangers)
    text = f"{outward} is a public address: this machine can be reached from everywhere"
    note = "cccamd lets only your own networks in; others are named in [network] of cccamd.toml"
    return _address(Grade.OK, "public", text, more=() if expects_strangers else (note,))


def _judge_without_ipv4(addresses: Addresses) -> Diagnosis:
    if addresses.outward6 is not None:
        text = f"only IPv6 leads out of here ({addresses.outward6})"
        change = "C-lines to hosts with IPv4 alone cannot work."
        return _address(Grade.ADVICE, "ipv6-only", text, change)
    return _address(
        Grade.ADVICE,
        "no-route",
        "no way leads out of this machine (there is no default route)",
        "Mend the network if clients or C-lines are on other machines.",
    )


def _judge_carrier_grade(
    addresses: Addresses, outward: IPv4Address, *, expects_strangers: bool
) -> Diagnosis:
    text = (
        f"{outward} is behind carrier-grade NAT (100.64.0.0/10): your provider shares one public"
        " address among many customers"
    )
    grade = Grade.WARNING if expects_strangers else Grade.ADVICE
    return _address(
        grade if not addresses.tunnels else Grade.OK,
        "carrier-grade-nat",
        text + _tunnel_words(addresses.tunnels),
        "" if addresses.tunnels else "Ask the provider for a public address, or use a tunnel.",
        more=(
            "works: receivers in this network; our C-lines to servers outside",
            "won't work: clients from outside; forwarding a port in the router does not help",
            *_ipv6_words(addresses.outward6),
            *(() if addresses.tunnels else TUNNEL_OUTLINE),
        ),
    )


def _judge_private(
    addresses: Addresses, outward: IPv4Address, port: int, *, expects_strangers: bool
) -> Diagnosis:
    text = f"{outward} is a private address, behind a router" + _tunnel_words(addresses.tunnels)
    more = (
        "works: receivers in this network; our C-lines to servers outside",
        f"clients from outside: only if the router forwards TCP port {port} to {outward} and has a"
        " public address itself: if the WAN address that it shows begins with 10, 192.168, 172.16"
        " to 172.31 or 100.64 to 100.127, the provider shares it, and forwarding does not help",
        *_ipv6_words(addresses.outward6),
    )
    if not expects_strangers or addresses.tunnels:
        return _address(Grade.OK, "private", text, more=more)
    return _address(
        Grade.ADVICE,
        "private",
        f"{text}; [network] of cccamd.toml expects clients from outside",
        f"Forward TCP port {port} in the router to {outward}, or use a tunnel.",
        more=(*more, *TUNNEL_OUTLINE),
    )


def _tunnel_words(tunnels: Sequence[str]) -> str:
    return f"; the WireGuard tunnel {listed(tunnels)} leads around it" if tunnels else ""


def _ipv6_words(outward6: IPv6Address | None) -> tuple[str, ...]:
    if outward6 is None or not outward6.is_global:
        return ()
    return (
        f"IPv6: {outward6} is public: clients that have IPv6 too can come in without forwarding,"
        " if the router's firewall lets them",
    )


# Round trips.


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """How long the way to a server and back takes, as one connection showed."""

    seconds: float
    jitter: float | None = None
    """How much it varies, in seconds; None: too little was sent to know."""
    lost: int = 0
    """Packets that had to be sent again."""


def judge_round_trip(name: str, found: RoundTrip) -> Diagnosis:
    """Compare round trip and jitter with what a picture needs."""
    trip = partial(diagnose, Check.ROUND_TRIP, subject=name)
    usual, unsteady = found.seconds, found.jitter
    text = f"round trip {milliseconds(usual)}"
    if unsteady is not None:
        text += f", jitter {milliseconds(unsteady)}"
    if found.lost:
        change = "Replace Wi-Fi or powerline on the way by a cable; a lost packet costs a second."
        lost = f"{text}; {count(found.lost, 'packet')} lost on the way"
        return trip(Grade.WARNING, "lossy", lost, change)
    if usual > TOO_LONG:
        change = (
            "Prefer a source that is nearer, and keep this one as a standby (rank in cccamd.toml)."
        )
        return trip(Grade.WARNING, "far", f"{text}: too long for a steady picture", change)
    if unsteady is not None and unsteady > UNSTEADY:
        change = "Use a cable instead of Wi-Fi or powerline."
        return trip(Grade.ADVICE, "unsteady", f"{text}: unsteady, as Wi-Fi is", change)
    if usual > LONG:
        change = "It is a risk when anything else is slow: prefer a source that is nearer."
        return trip(Grade.ADVICE, "rather-far", text, change)
    return trip(Grade.OK, "near", text)


# Answer times.


def judge_answer_times(sources: Sequence[SourceStatus], at: float) -> list[Diagnosis]:
    """What is to be said of each source that was asked and is there; one for all when none was.

    What the incidents say of its answers at this moment goes before its times.
    """
    if not any(source.asked for source in sources):
        nothing = "no source was asked for anything yet"
        return [diagnose(Check.ANSWER_TIMES, Grade.NOT_CHECKED, "not-asked", nothing)]
    there = [source for source in sources if source.asked and source.state is LinkState.UP]
    return [each for source in there for each in _answering(source, at)]


def _answering(source: SourceStatus, at: float) -> Iterator[Diagnosis]:
    said = list(explain_answers(source, at))
    for finding in said:
        check = check_of_link(source.kind)
        yield Diagnosis(check=check, grade=Grade.WARNING, finding=finding, subject=source.name)
    if not said:
        yield judge_answers(source)


def judge_answers(source: SourceStatus) -> Diagnosis:
    """Judge how fast and how often a source answers."""
    times = partial(diagnose, Check.ANSWER_TIMES, subject=source.name)
    asked, answered, usual = source.asked, source.answered, source.usual_seconds
    counts = f"{answered:,} of {count(asked, 'request')} answered"
    if asked >= ENOUGH and answered < POOR_SHARE * asked:
        change = (
            "Its cards do not decode what is watched: see which CAIDs and services they are for."
        )
        return times(Grade.WARNING, "few-answers", f"only {counts}", change)
    if usual is None:
        return times(Grade.OK, "answers", counts)
    text = f"usually {milliseconds(usual)}; {counts}"
    if usual > GIVEN_UP:
        change = "find a faster source; this one is no help"
        return times(Grade.WARNING, "too-slow", f"{text}: receivers have given up by then", change)
    if usual >= OVERLOADED_SECONDS:
        change = "ask its owner to take clients off it, or add a second source for these channels"
        return times(Grade.WARNING, "overloaded", f"{text}: it is overloaded", change)
    if usual > SLOW_SECONDS:
        change = "Good is up to 500 ms. Look at its round trip above; then at its load."
        return times(Grade.ADVICE, "slow", f"{text}: slow, pictures may stutter", change)
    return times(Grade.OK, "answers", f"{text}: good")
