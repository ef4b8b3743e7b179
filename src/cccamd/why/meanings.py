"""What each trouble of a link to an upstream means: the likely causes, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cccamd.ids import parse_endpoint
from cccamd.net import Step


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
