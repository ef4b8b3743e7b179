"""What packet filter rules do with a client's connection: rules as the tools print them."""

from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.machine.iptables import read_iptables, tables_in
from cccamd.machine.nftables import read_nft
from cccamd.machine.packetfilter import Fate, FirstPacket, outcome

PACKET = FirstPacket(port=12000, interface="eth0", address=IPv4Address("192.168.1.5"))
OPEN, PARTLY, CLOSED = Fate


def iptables(*rules: str, policy: str = "ACCEPT") -> str:
    return "\n".join(("*filter", f":INPUT {policy} [0:0]", *rules, "COMMIT", ""))


@pytest.mark.parametrize(
    ("rules", "policy", "fate"),
    [
        ((), "ACCEPT", OPEN),
        ((), "DROP", CLOSED),
        (("-p tcp -m tcp --dport 12000 -j DROP",), "ACCEPT", CLOSED),
        (("-p tcp -m tcp --dport 12000 -j REJECT --reject-with tcp-reset",), "ACCEPT", CLOSED),
        (("-p tcp -m tcp --dport 11000:13000 -j DROP",), "ACCEPT", CLOSED),
        (("-p tcp -m multiport --dports 80,12000 -j DROP",), "ACCEPT", CLOSED),
        (("-p tcp -m tcp --dport 12001 -j DROP",), "ACCEPT", OPEN),
        (("-p tcp -m tcp ! --dport 12000 -j DROP",), "ACCEPT", OPEN),
        (("-p udp -m udp --dport 12000 -j DROP",), "ACCEPT", OPEN),
        (("-i lo -j ACCEPT",), "DROP", CLOSED),
        (("! -i lo -p tcp -j DROP",), "ACCEPT", CLOSED),
        (("-i eth+ -p tcp -j DROP",), "ACCEPT", CLOSED),
        (("-i wlan0 -p tcp -j DROP",), "ACCEPT", OPEN),
        (("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",), "DROP", CLOSED),
        (("-m state --state NEW -p tcp --dport 12000 -j ACCEPT",), "DROP", OPEN),
        (("-p tcp --dport 12000 -j ACCEPT", "-p tcp -j DROP"), "DROP", OPEN),
        (("-p tcp -j DROP", "-p tcp --dport 12000 -j ACCEPT"), "ACCEPT", CLOSED),
        (("-s 192.168.0.0/16 -p tcp --dport 12000 -j ACCEPT",), "DROP", PARTLY),
        (("-s 10.0.0.0/8 -j DROP",), "ACCEPT", PARTLY),
        (("-d 192.168.1.0/24 -p tcp -j DROP",), "ACCEPT", CLOSED),
        (("-d 10.0.0.1/32 -p tcp -j DROP",), "ACCEPT", OPEN),
        (("-p tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP",), "ACCEPT", CLOSED),
        (("-p tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j DROP",), "ACCEPT", OPEN),
        (("-p tcp -m limit --limit 3/min -j ACCEPT",), "DROP", PARTLY),
        (("-p tcp -m comment --comment 'no -j ACCEPT here' -j DROP",), "ACCEPT", CLOSED),
        (("-p tcp -j LOG --log-prefix '-j DROP '",), "ACCEPT", OPEN),
        (("-j unfinished ' quote",), "ACCEPT", OPEN),
    ],
)
def test_iptables(rules: tuple[str, ...], policy: str, fate: Fate) -> None:
    text = iptables(*(f"-A INPUT {rule}" for rule in rules), policy=policy)
    assert outcome(read_iptables(text, PACKET)).fate is fate


JUMPING = """*filter
:INPUT DROP [0:0]
:mine - [0:0]
:deep - [0:0]
-A INPUT -j mine
-A mine -p tcp -m tcp --dport 12000 {first}
-A mine -j deep
-A deep -p tcp {second}
COMMIT
"""


@pytest.mark.parametrize(
    ("first", "second", "fate"),
    [
        ("-j ACCEPT", "-j DROP", OPEN),
        ("-j RETURN", "-j ACCEPT", CLOSED),
        ("-s 10.0.0.1 -j RETURN", "-j ACCEPT", PARTLY),
        ("-g deep", "-j ACCEPT", OPEN),
        ("-j deep", "-j mine", CLOSED),
    ],
)
def test_iptables_chains(first: str, second: str, fate: Fate) -> None:
    text = JUMPING.format(first=first, second=second)
    assert outcome(read_iptables(text, PACKET)).fate is fate


def match(left: dict[str, Any], right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}
SADDR = {"payload": {"protocol": "ip", "field": "saddr"}}
STATE = {"ct": {"key": "state"}}
LAN = {"prefix": {"addr": "192.168.0.0", "len": 16}}
DROP, ACCEPT = {"drop": None}, {"accept": None}


def nft(*rules: list[dict[str, Any]], policy: str = "accept") -> dict[str, Any]:
    """A ruleset in the form of `nft -j list ruleset`, version 1.0.6."""
    place = {"family": "inet", "table": "filter"}
    hook = {"type": "filter", "hook": "input", "prio": 0, "policy": policy}
    sets = {"family": "inet", "name": "ports", "table": "filter", "elem": [22, 12000]}
    return {
        "nftables": [
            {"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
            {"table": {"family": "inet", "name": "filter", "handle": 1}},
            {"set": sets},
            {"chain": {**place, "name": "input", **hook}},
            {"chain": {**place, "name": "mine"}},
            *({"rule": {**place, "chain": "input", "expr": rule}} for rule in rules),
            {"rule": {**place, "chain": "mine", "expr": [match(DPORT, 12000), DROP]}},
        ]
    }


@pytest.mark.parametrize(
    ("rules", "policy", "fate"),
    [
        ([], "accept", OPEN),
        ([], "drop", CLOSED),
        ([[match(DPORT, 12000), {"counter": {"packets": 0, "bytes": 0}}, DROP]], "accept", CLOSED),
        ([[match(DPORT, 12000), {"reject": {"type": "tcp reset"}}]], "accept", CLOSED),
        ([[match(DPORT, {"set": [22, {"range": [12000, 12005]}]}), ACCEPT]], "drop", OPEN),
        ([[match(DPORT, "@ports"), DROP]], "accept", CLOSED),
        ([[match(DPORT, 12000, "!="), DROP]], "accept", OPEN),
        ([[match(STATE, ["established", "related"], "in"), ACCEPT]], "drop", CLOSED),
        ([[match({"meta": {"key": "iif"}}, "lo"), ACCEPT]], "drop", CLOSED),
        ([[match({"meta": {"key": "iifname"}}, "eth*"), ACCEPT]], "drop", OPEN),
        ([[match({"meta": {"key": "l4proto"}}, {"set": ["tcp", "udp"]}), DROP]], "accept", CLOSED),
        ([[match(SADDR, LAN), match(DPORT, 12000), ACCEPT]], "drop", PARTLY),
        ([[match(SADDR, LAN), DROP]], "accept", PARTLY),
        ([[{"jump": {"target": "mine"}}]], "accept", CLOSED),
        ([[match(SADDR, LAN), {"jump": {"target": "mine"}}]], "accept", PARTLY),
        ([[{"vmap": {"key": DPORT, "data": {"set": [[12000, DROP]]}}}]], "accept", CLOSED),
        ([[{"vmap": {"key": STATE, "data": {"set": [["new", ACCEPT]]}}}]], "drop", OPEN),
        ([[{"limit": {"rate": 3}}, ACCEPT]], "drop", PARTLY),
        ([[{"xt": {"type": "match", "name": "recent"}}, DROP]], "accept", PARTLY),
        ([[match(DPORT, 12000), {"xt": {"type": "target", "name": "REJECT"}}]], "accept", CLOSED),
        ([[match({"something": "new"}, 1), DROP]], "accept", PARTLY),
    ],
)
def test_nftables(rules: list[list[dict[str, Any]]], policy: str, fate: Fate) -> None:
    assert outcome(read_nft(nft(*rules, policy=policy), PACKET)).fate is fate


def test_the_rule_is_shown_as_nft_writes_it() -> None:
    rule = [match(SADDR, LAN), match(DPORT, {"set": [22, 12000]}), {"log": None}, DROP]
    found = outcome(read_nft(nft(rule), PACKET))
    shown = "ip saddr 192.168.0.0/16 tcp dport { 22, 12000 } drop"
    assert found.rules == (f"nft table inet filter, chain input: {shown}",)


def test_tables_of_iptables_are_not_judged_twice() -> None:
    """nft prints them too, but hides what the matches of iptables say."""
    text = iptables("-A INPUT -p tcp -m multiport --dports 80 -j DROP")
    ruleset = nft([{"xt": {"type": "match", "name": "multiport"}}, DROP])
    for item in ruleset["nftables"]:
        for value in item.values():
            value.update({"family": "ip"} if "family" in value else {})
    assert outcome(read_nft(ruleset, PACKET)).fate is PARTLY
    assert outcome(read_nft(ruleset, PACKET, without=tables_in(text))).fate is OPEN
    assert outcome(read_iptables(text, PACKET)).fate is OPEN


@given(st.text(alphabet="-AIjpsd!:* INPUTDROPtcp0123456789'\n\"", max_size=200))
def test_any_text_can_be_read_as_rules(text: str) -> None:
    assert outcome(read_iptables(f"*filter\n:INPUT ACCEPT [0:0]\n{text}", PACKET)).fate in Fate
