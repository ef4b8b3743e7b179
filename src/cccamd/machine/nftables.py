"""Read what `nft -j list ruleset` prints, for one connection."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Any, Final

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

_FAMILIES: Final = ("inet", "ip")
_HOOKS: Final = ("prerouting", "input")
_VERDICTS: Final = {
    "accept": FilterAction.ACCEPT,
    "drop": FilterAction.DROP,
    "reject": FilterAction.DROP,
    "return": FilterAction.RETURN,
    "jump": FilterAction.JUMP,
    "goto": FilterAction.GOTO,
}
_XT_TARGETS: Final = {"REJECT": FilterAction.DROP, "DROP": FilterAction.DROP}
_HARMLESS: Final = frozenset({"counter", "log", "comment", "mangle", "notrack", "ct helper"})
"""Statements that neither decide nor narrow down."""
_OUR_PROTOCOL: Final = frozenset({"tcp", 6})
_NEW_FLAGS: Final = frozenset({"syn"})
"""Of the first packet of a connection."""

Tables = dict[str, dict[str, Chain]]
_Sets = Mapping[str, Any]


def read_nft(
    ruleset: Mapping[str, Any], packet: FirstPacket, *, without: Sequence[str] = ()
) -> Tables:
    """Turn a ruleset into chains. `without`: names of `ip` tables that iptables looks after."""
    items = [(kind, value) for item in ruleset.get("nftables", ()) for kind, value in item.items()]
    rules: dict[tuple[str, str], list[FilterRule]] = {}
    sets = {
        f"{_table(value)} @{value['name']}": value.get("elem", [])
        for kind, value in items
        if kind in ("set", "map")
    }
    for kind, value in items:
        if kind == "rule" and value["family"] in _FAMILIES:
            reader = _RuleReader(packet, sets, _table(value))
            rules.setdefault((_table(value), value["chain"]), []).extend(reader.read(value))
    tables: Tables = {}
    for kind, value in items:
        skipped = kind == "chain" and value["family"] == "ip" and value["table"] in without
        if kind == "chain" and value["family"] in _FAMILIES and not skipped:
            table = _table(value)
            found = tuple(rules.get((table, value["name"]), ()))
            tables.setdefault(table, {})[value["name"]] = _chain(value, found)
    return tables


def _table(value: Mapping[str, Any]) -> str:
    return f"{value['family']} {value['table']}"


def _chain(value: Mapping[str, Any], rules: tuple[FilterRule, ...]) -> Chain:
    filters = value.get("type") == "filter" and value.get("hook") in _HOOKS
    policy = FilterAction.DROP if value.get("policy") == "drop" else FilterAction.ACCEPT
    name = f"nft table {_table(value)}, chain {value['name']}"
    return Chain(name=name, rules=rules, is_base=filters, policy=policy)


class _RuleReader:
    """Reads the rules of one table."""

    def __init__(self, packet: FirstPacket, sets: _Sets, table: str) -> None:
        self._packet = packet
        self._sets = sets
        self._table = table

    def read(self, value: Mapping[str, Any]) -> Iterator[FilterRule]:
        """A rule gives one of ours, one with a verdict map several."""
        statements = [pair for part in value["expr"] for pair in part.items()]
        applies = conjunction(self._applies(kind, content) for kind, content in statements)
        text = f"nft table {self._table}, chain {value['chain']}: {_shown(statements)}"
        for kind, content in statements:
            if kind == "vmap":
                yield from self._read_map(content, applies, text)
            elif (action := _action(kind, content)) is not None:
                target = content["target"] if kind in ("jump", "goto") else ""
                yield FilterRule(text=text, applies=applies, action=action, target=target)

    def _read_map(
        self, content: Mapping[str, Any], applies: Applies, text: str
    ) -> Iterator[FilterRule]:
        for key, verdict in self._elements(content["data"]):
            one = self._match({"left": content["key"], "right": key, "op": "=="})
            kind, detail = next(iter(verdict.items()))
            yield FilterRule(
                text=text,
                applies=conjunction((applies, one)),
                action=_VERDICTS.get(kind, FilterAction.NOTHING),
                target=detail["target"] if kind in ("jump", "goto") else "",
            )

    def _elements(self, data: Any) -> Sequence[Any]:
        """The pairs of a verdict map: written in the rule, or a named one."""
        if isinstance(data, str):
            return list(self._sets.get(f"{self._table} {data}", ()))
        return list(data.get("set", ())) if isinstance(data, Mapping) else []

    def _applies(self, kind: str, content: Any) -> Applies:
        if kind == "match":
            return self._match(content)
        if kind == "xt" and content.get("type") == "target":
            return Applies.YES
        known = kind in _VERDICTS or kind in _HARMLESS or kind == "vmap"
        return Applies.YES if known else Applies.MAYBE

    def _match(self, content: Mapping[str, Any]) -> Applies:
        left, right = content["left"], content["right"]
        found = self._equals(left, right) if isinstance(left, Mapping) else Applies.MAYBE
        return negated(found) if content["op"] == "!=" else found

    def _equals(self, left: Mapping[str, Any], right: Any) -> Applies:
        match left:
            case {"payload": {"protocol": protocol, "field": name}}:
                return self._payload(protocol, name, right)
            case {"meta": {"key": "l4proto"}}:
                return decided(bool(_OUR_PROTOCOL & set(self._values(right))))
            case {"meta": {"key": "nfproto"}}:
                return decided("ipv4" in self._values(right))
            case {"meta": {"key": "iif" | "iifname"}}:
                return self._interface(self._values(right))
            case {"ct": {"key": "state"}}:
                return decided("new" in self._values(right))
            case {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, mask]}:
                ours = _NEW_FLAGS & set(self._values(mask))
                return decided(ours == set(self._values(right)))
            case {"payload": _} | {"meta": _} | {"ct": _}:
                return Applies.MAYBE
        return Applies.MAYBE

    def _payload(self, protocol: str, name: str, right: Any) -> Applies:
        match protocol, name:
            case ("tcp" | "th", "dport"):
                return decided(any(self._holds_port(value) for value in self._values(right)))
            case "ip", "protocol":
                return decided(bool(_OUR_PROTOCOL & set(self._values(right))))
            case "ip", "daddr":
                return self._goes_to(self._values(right))
            case (("tcp" | "th" | "ip" | "ether"), _):
                return Applies.MAYBE
        return Applies.NO  # another protocol: udp, icmp, ip6

    def _holds_port(self, value: Any) -> bool:
        match value:
            case {"range": [low, high]}:
                return bool(int(low) <= self._packet.port <= int(high))
            case int():
                return value == self._packet.port
        return False

    def _interface(self, names: Sequence[Any]) -> Applies:
        """Clients do not come in by `lo`; by which else we may not know."""
        if names == ["lo"]:
            return Applies.NO
        if not self._packet.interface:
            return Applies.MAYBE
        return decided(any(_same_interface(name, self._packet.interface) for name in names))

    def _goes_to(self, values: Sequence[Any]) -> Applies:
        address = self._packet.address
        networks = [_network(value) for value in values]
        if address is None or None in networks:
            return Applies.MAYBE
        return decided(any(address in network for network in networks if network))

    def _values(self, right: Any) -> list[Any]:
        """The right side as a list: one value, an anonymous set, or a named one."""
        match right:
            case {"set": values} | list(values):
                return [value for one in values for value in self._values(one)]
            case {"elem": {"val": value}}:
                return [value]
            case str() if right.startswith("@"):
                return self._values(list(self._sets.get(f"{self._table} {right}", ())))
        return [right]


def _action(kind: str, content: Any) -> FilterAction | None:
    if kind == "xt" and content.get("type") == "target":
        return _XT_TARGETS.get(content.get("name"))
    return _VERDICTS.get(kind)


def _same_interface(pattern: Any, name: str) -> bool:
    text = str(pattern)
    return name.startswith(text[:-1]) if text.endswith("*") else name == text


def _network(value: Any) -> IPv4Network | None:
    try:
        if isinstance(value, Mapping) and "prefix" in value:
            prefix = value["prefix"]
            network = ip_network(f"{prefix['addr']}/{prefix['len']}", strict=False)
        else:
            network = ip_network(str(ip_address(value)))
    except (ValueError, TypeError, KeyError):
        return None
    return network if isinstance(network, IPv4Network) else None


# How a rule is shown: close to how nft itself writes it.


def _shown(statements: Sequence[tuple[str, Any]]) -> str:
    words = (_statement(kind, content) for kind, content in statements if kind not in _HARMLESS)
    return " ".join(word for word in words if word)


def _statement(kind: str, content: Any) -> str:
    match kind:
        case "match":
            sign = {"!=": "!= "}.get(content["op"], "")
            return f"{_key(content['left'])} {sign}{_value(content['right'])}"
        case "vmap":
            return f"{_key(content['key'])} vmap {_value(content['data'])}"
        case "jump" | "goto":
            return f"{kind} {content['target']}"
        case "xt":
            return str(content.get("name", kind)).lower()
    return kind


def _key(left: Any) -> str:
    match left:
        case {"payload": {"protocol": protocol, "field": name}}:
            return f"{protocol} {name}"
        case {"meta": {"key": key}}:
            return str(key)
        case {"ct": {"key": key}}:
            return f"ct {key}"
        case {"&": [first, _]}:
            return _key(first)
    return "..."


def _value(right: Any) -> str:
    match right:
        case {"set": values} | list(values):
            return "{ " + ", ".join(_value(value) for value in values) + " }"
        case {"range": [low, high]}:
            return f"{low}-{high}"
        case {"prefix": {"addr": address, "len": length}}:
            return f"{address}/{length}"
        case {"elem": {"val": value}}:
            return _value(value)
        case dict():
            return ", ".join(str(key) for key in right)
    return str(right)
