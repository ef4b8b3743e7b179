"""Read what `iptables-save` prints, for one connection."""

import shlex
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, ip_network
from typing import Final

from cccamd.machine.packetfilter import (
    Applies,
    Chain,
    FilterAction,
    FilterRule,
    FirstPacket,
    conjunction,
    decided,
    negated,
)

_BASE_CHAINS: Final = ("PREROUTING", "INPUT")
_TABLES: Final = ("raw", "mangle", "filter")
"""Tables that may drop what comes in; `nat` only rewrites."""
_ACTIONS: Final = {
    "ACCEPT": FilterAction.ACCEPT,
    "DROP": FilterAction.DROP,
    "REJECT": FilterAction.DROP,
    "RETURN": FilterAction.RETURN,
}
_NEUTRAL: Final = frozenset({"--comment", "--reject-with", "--log-prefix", "--log-level"})
"""Options with one value that narrow nothing down."""

Tables = dict[str, dict[str, Chain]]


def read_iptables(text: str, packet: FirstPacket) -> Tables:
    """Turn the output of iptables-save into chains by table."""
    tables: Tables = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":") and table in _TABLES:
            name, policy, *_ = [*line[1:].split(), "", ""]
            tables.setdefault(table, {})[name] = _chain(table, name, policy)
        elif line.startswith("-A ") and table in _TABLES:
            _append(tables.setdefault(table, {}), table, line, packet)
    return tables


def tables_in(text: str) -> tuple[str, ...]:
    """The names of the tables that iptables-save lists."""
    return tuple(line[1:].strip() for line in text.splitlines() if line.startswith("*"))


def _chain(table: str, name: str, policy: str) -> Chain:
    return Chain(
        name=f"iptables table {table}, chain {name}",
        rules=(),
        is_base=name in _BASE_CHAINS,
        policy=_ACTIONS.get(policy, FilterAction.ACCEPT),
    )


def _append(chains: dict[str, Chain], table: str, line: str, packet: FirstPacket) -> None:
    try:
        words = shlex.split(line)
    except ValueError:  # a quote in a comment that is not closed
        words = line.split()
    if len(words) < 2:
        return
    name = words[1]
    before = chains.get(name) or _chain(table, name, "-")
    rule = _rule(f"iptables {line}", words[2:], packet)
    chains[name] = Chain(
        name=before.name,
        rules=(*before.rules, rule),
        is_base=before.is_base,
        policy=before.policy,
    )


def _rule(text: str, words: Sequence[str], packet: FirstPacket) -> FilterRule:
    options = list(_options(words))
    target = next((values[0] for name, values, _ in options if name in ("-j", "-g") and values), "")
    jumps = FilterAction.GOTO if any(name == "-g" for name, _, _ in options) else FilterAction.JUMP
    applies = conjunction(
        negated(_applies(name, values, packet)) if inverted else _applies(name, values, packet)
        for name, values, inverted in options
    )
    return FilterRule(text=text, applies=applies, action=_ACTIONS.get(target, jumps), target=target)


def _options(words: Sequence[str]) -> Iterator[tuple[str, list[str], bool]]:
    """Each option with its values, and whether a `!` stands before it."""
    name, values, inverted, invert_next = "", list[str](), False, False
    for word in words:
        if word == "!":
            invert_next = True
        elif word.startswith("-") and len(word) > 1 and not word[1].isdigit():
            if name:
                yield name, values, inverted
            name, values, inverted, invert_next = word, [], invert_next, False
        else:
            values.append(word)
    if name:
        yield name, values, inverted


def _applies(name: str, values: Sequence[str], packet: FirstPacket) -> Applies:
    value = values[0] if values else ""
    match name:
        case "-j" | "-g" | "-m":
            return Applies.YES
        case "-p":
            return decided(value in ("tcp", "6", "all"))
        case "--dport" | "--dports":
            return decided(_holds_port(value, packet.port))
        case "-i":
            return _comes_by(value, packet.interface)
        case "--ctstate" | "--state":
            return decided("NEW" in value.split(","))
        case "--syn":
            return Applies.YES
        case "--tcp-flags":
            return _has_flags(values)
        case "--dst-type":
            return decided("LOCAL" in value.split(","))
        case "-d":
            return _goes_to(value, packet)
    return Applies.YES if name in _NEUTRAL else Applies.MAYBE


def _holds_port(text: str, port: int) -> bool:
    for part in text.split(","):
        low, colon, high = part.partition(":")
        try:
            first, last = int(low or 0), int((high or 65_535) if colon else low)
        except ValueError:
            continue
        if first <= port <= last:
            return True
    return False


def _comes_by(pattern: str, interface: str) -> Applies:
    if pattern == "lo":
        return Applies.NO
    if not interface:
        return Applies.MAYBE
    if pattern.endswith("+"):
        return decided(interface.startswith(pattern[:-1]))
    return decided(interface == pattern)


def _has_flags(values: Sequence[str]) -> Applies:
    """The first packet of a connection has SYN and nothing else."""
    if len(values) < 2:
        return Applies.MAYBE
    mask, wanted = (set(value.split(",")) for value in values[:2])
    return decided({"SYN"} & mask == wanted - {"NONE"})


def _goes_to(text: str, packet: FirstPacket) -> Applies:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return Applies.MAYBE
    if packet.address is None or not isinstance(network, IPv4Network):
        return Applies.MAYBE
    return decided(packet.address in network)
