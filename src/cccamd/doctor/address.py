"""Who can reach this machine: public address, router, or carrier-grade NAT."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Final

from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.doctor.wording import listed
from cccamd.machine import Addresses

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


def judge_address(addresses: Addresses, *, port: int, expects_strangers: bool) -> Finding:
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
    evidence = f"{outward} is a public address: this machine can be reached from everywhere"
    if expects_strangers:
        return _finding(Verdict.OK, evidence)
    note = "cccamd lets only your own networks in; others are named in [network] of cccamd.toml"
    return _finding(Verdict.OK, evidence, more=(note,))


def _judge_without_ipv4(addresses: Addresses) -> Finding:
    if addresses.outward6 is not None:
        evidence = f"only IPv6 leads out of here ({addresses.outward6})"
        return _finding(Verdict.ADVICE, evidence, "C-lines to hosts with IPv4 alone cannot work.")
    return _finding(
        Verdict.ADVICE,
        "no way leads out of this machine (there is no default route)",
        "Mend the network if clients or C-lines are on other machines.",
    )


def _judge_carrier_grade(
    addresses: Addresses, outward: IPv4Address, *, expects_strangers: bool
) -> Finding:
    evidence = (
        f"{outward} is behind carrier-grade NAT (100.64.0.0/10): your provider shares one public"
        " address among many customers"
    )
    verdict = Verdict.WARNING if expects_strangers else Verdict.ADVICE
    return _finding(
        verdict if not addresses.tunnels else Verdict.OK,
        evidence + _tunnel_words(addresses.tunnels),
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
) -> Finding:
    evidence = f"{outward} is a private address, behind a router" + _tunnel_words(addresses.tunnels)
    more = (
        "works: receivers in this network; our C-lines to servers outside",
        f"clients from outside: only if the router forwards TCP port {port} to {outward} and has a"
        " public address itself: if the WAN address that it shows begins with 10, 192.168, 172.16"
        " to 172.31 or 100.64 to 100.127, the provider shares it, and forwarding does not help",
        *_ipv6_words(addresses.outward6),
    )
    if not expects_strangers or addresses.tunnels:
        return _finding(Verdict.OK, evidence, more=more)
    return _finding(
        Verdict.ADVICE,
        f"{evidence}; [network] of cccamd.toml expects clients from outside",
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


def _finding(
    verdict: Verdict, evidence: str, advice: str = "", more: tuple[str, ...] = ()
) -> Finding:
    return Finding(
        check=Check.ADDRESS, verdict=verdict, evidence=evidence, advice=advice, more=more
    )
