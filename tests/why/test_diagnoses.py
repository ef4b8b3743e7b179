"""The judgement of each check, as tables: what was seen, and what is said about it."""

import errno
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest

from cccamd.facts import (
    ConfigProblem,
    ConfigProblemKind,
    ConfigState,
    LastMinute,
    LinkState,
    SourceStatus,
)
from cccamd.machine import (
    Addresses,
    FirstPacket,
    Knock,
    PortHolder,
    Process,
    Ruleset,
    Supply,
    SystemUser,
    TimeAnswer,
    WayPart,
)
from cccamd.setup.cccamcfg import Config, InfoPort, parse
from cccamd.setup.toml import NewcamdTable, TomlConfig
from cccamd.setup.toml import parse as parse_toml
from cccamd.why import Access, Check, Grade, Installation, PortSeen, WantedPort, wanted_ports, worst
from cccamd.why.diagnosis import diagnose
from cccamd.why.host import Demand, judge_clock, judge_files, judge_memory
from cccamd.why.installation import judge_access, judge_config_state, judge_content, judge_source
from cccamd.why.network import RoundTrip, judge_address, judge_answer_times, judge_round_trip
from cccamd.why.ports import explain_taken, judge_firewall, judge_port, listened_addresses
from fact_factory import NOW, a_source

OK, NOT_CHECKED, ADVICE, WARNING, FAILURE = Grade
CFG = Path("/etc/CCcam.cfg")


@pytest.mark.parametrize(
    ("grades", "expected", "status"),
    [
        ((), OK, 0),
        ((OK, NOT_CHECKED), NOT_CHECKED, 0),
        ((ADVICE, OK), ADVICE, 0),
        ((WARNING, ADVICE), WARNING, 1),
        ((OK, FAILURE, WARNING), FAILURE, 2),
    ],
)
def test_the_worst_verdict_is_the_exit_status(
    grades: tuple[Grade, ...], expected: Grade, status: int
) -> None:
    findings = [diagnose(Check.CLOCK, one, "clock", "") for one in grades]
    assert worst(findings) is expected
    assert worst(findings).exit_status == status


@pytest.mark.parametrize(
    ("way", "expected", "word"),
    [
        (RoundTrip(0.012, 0.001), OK, "round trip 12 ms"),
        (RoundTrip(0.099, 0.0), OK, "99 ms"),
        (RoundTrip(0.101, 0.0), ADVICE, "nearer"),
        (RoundTrip(0.151, 0.0), WARNING, "too long"),
        (RoundTrip(0.012, 0.028), ADVICE, "cable"),
        (RoundTrip(0.012, 0.001, lost=1), WARNING, "1 packet lost"),
        (RoundTrip(0.012), OK, "round trip 12 ms"),
    ],
)
def test_round_trip(way: RoundTrip, expected: Grade, word: str) -> None:
    found = judge_round_trip("x:1", way)
    assert found.grade is expected
    assert word in f"{found.finding.text} {found.advice}"


def asked(number: int = 100, answered: int = 100, usual: float | None = 0.2) -> SourceStatus:
    return a_source("x:1", asked=number, answered=answered, usual_seconds=usual)


@pytest.mark.parametrize(
    ("source", "expected", "word"),
    [
        (asked(), OK, "good"),
        (asked(usual=0.5), OK, "good"),
        (asked(usual=0.8), ADVICE, "stutter"),
        (asked(usual=1.5), WARNING, "overloaded"),
        (asked(usual=3.5), WARNING, "given up"),
        (asked(answered=40), WARNING, "only 40 of 100 requests"),
        (asked(3, answered=1, usual=None), OK, "1 of 3 requests"),
        (asked(0, answered=0, usual=None), NOT_CHECKED, "no source was asked"),
    ],
)
def test_answer_times(source: SourceStatus, expected: Grade, word: str) -> None:
    (found,) = judge_answer_times([source], NOW)
    assert found.grade is expected
    assert word in found.finding.text


def test_what_a_source_does_now_goes_before_its_times_and_one_that_is_away_has_none() -> None:
    """Else one with a card that is away is told to have others, and one that is off to be slow."""
    refuses = replace(asked(answered=40), last_minute=LastMinute(refused=9))
    away = replace(asked(usual=8.0), state=LinkState.WAITING)
    (found,) = judge_answer_times([refuses, away], NOW)
    assert (found.grade, found.finding.code) == (WARNING, "refuses-all")


@pytest.mark.parametrize(
    ("answer", "synchronised", "expected", "word"),
    [
        (TimeAnswer("time.example", 0.3), None, OK, "within 0.3 s"),
        (TimeAnswer("time.example", -4.9), None, OK, "within 4.9 s"),
        (TimeAnswer("time.example", 7.0), True, WARNING, "7 s behind"),
        (TimeAnswer("time.example", -3600.0), None, WARNING, "3,600 s ahead of"),
        (TimeAnswer(refusals=("a: no answer",)), True, NOT_CHECKED, "a: no answer"),
        (TimeAnswer(), True, OK, "keeps its clock"),
        (TimeAnswer(), False, ADVICE, "nothing keeps"),
        (TimeAnswer(), None, NOT_CHECKED, "--ntp"),
    ],
)
def test_clock(answer: TimeAnswer, synchronised: bool | None, expected: Grade, word: str) -> None:
    found = judge_clock(answer, synchronised=synchronised)
    assert found.grade is expected
    assert word in found.finding.text


@pytest.mark.parametrize(
    ("outward", "strangers", "tunnels", "expected", "word"),
    [
        ("192.168.1.5", False, (), OK, "private address"),
        ("192.168.1.5", True, (), ADVICE, "Forward TCP port 12000"),
        ("192.168.1.5", True, ("wg0",), OK, "tunnel wg0"),
        ("100.64.0.1", False, (), ADVICE, "carrier-grade"),
        ("100.127.255.254", True, (), WARNING, "carrier-grade"),
        ("100.127.255.254", True, ("wg0",), OK, "tunnel wg0"),
        ("100.128.0.1", True, (), OK, "public address"),
        ("8.8.8.8", False, (), OK, "public address"),
        (None, False, (), ADVICE, "no default route"),
    ],
)
def test_address(
    outward: str | None, strangers: bool, tunnels: tuple[str, ...], expected: Grade, word: str
) -> None:
    addresses = Addresses(
        outward=IPv4Address(outward) if outward else None,
        interface="eth0",
        outward6=IPv6Address("2a00::1") if outward else None,
        tunnels=tunnels,
    )
    found = judge_address(addresses, port=12000, expects_strangers=strangers)
    assert found.grade is expected
    assert word in f"{found.finding.text} {found.advice}"
    with_outline = any("wg-quick" in line for line in found.more)
    assert with_outline == (found.grade in (ADVICE, WARNING) and outward is not None)


def a_demand(clients: int = 50, max_clients: int = 2000) -> Demand:
    return Demand(clients=clients, upstreams=2, max_clients=max_clients)


@pytest.mark.parametrize(
    ("demand", "files", "expected", "word"),
    [
        (a_demand(), 1024, OK, "50 clients and 2 C-lines need up to 244"),
        (a_demand(), None, OK, "as it likes"),
        (a_demand(900), 1024, WARNING, "LimitNOFILE"),
        (a_demand(3000), 65536, ADVICE, "max_clients"),
    ],
)
def test_file_descriptors(demand: Demand, files: int | None, expected: Grade, word: str) -> None:
    found = judge_files(demand, Supply(files=files, memory=0, is_running=True))
    assert found.grade is expected
    assert word in f"{found.finding.text} {found.advice}"


@pytest.mark.parametrize(("memory", "expected"), [(40 << 20, WARNING), (500 << 20, OK)])
def test_memory(memory: int, expected: Grade) -> None:
    supply = Supply(files=None, memory=memory, is_running=False)
    assert judge_memory(a_demand(), supply).grade is expected


@pytest.mark.parametrize(("space", "expected"), [(110 << 20, WARNING), (None, OK), (1 << 30, OK)])
def test_address_space(space: int | None, expected: Grade) -> None:
    supply = Supply(files=None, memory=500 << 20, is_running=True, space=space)
    found = judge_memory(a_demand(), supply)
    assert found.grade is expected
    assert ("LimitAS" in found.advice) == (expected is WARNING)


CLIENTS_PORT = WantedPort(
    purpose="clients",
    port=12000,
    setting="SERVER LISTEN PORT",
    line=3,
    addresses=("0.0.0.0", "::"),
    vital=True,
)
CCCAM = Process(7, 0, ("/usr/bin/CCcam.x86", "-C", "/etc/CCcam.cfg"))
DEMO = Process(9, 0, ("/usr/bin/python3", "/usr/bin/cccamd", "demo"))
OURS = Process(8, 0, ("/usr/bin/python3", "/usr/bin/cccamd", "serve"))


@pytest.mark.parametrize(
    ("holder", "error", "expected", "word"),
    [
        (None, None, OK, "free"),
        (None, errno.EACCES, FAILURE, "below 1024"),
        (None, errno.EADDRINUSE, FAILURE, "container"),
        (None, errno.EADDRNOTAVAIL, FAILURE, "bind in the [server] table"),
        (PortHolder(user="root", process=OURS, is_ours=True), None, OK, "process 8 of root"),
        (
            PortHolder(user="root", process=CCCAM, is_ours=False),
            None,
            FAILURE,
            "the original CCcam",
        ),
        (PortHolder(user="root", process=DEMO, is_ours=False), None, FAILURE, "command of cccamd"),
        (PortHolder(user="max", process=None, is_ours=False), None, FAILURE, "only root can see"),
    ],
)
def test_ports(holder: PortHolder | None, error: int | None, expected: Grade, word: str) -> None:
    found = judge_port(PortSeen(wanted=CLIENTS_PORT, holder=holder, bind_error=error))
    assert found.grade is expected
    assert word in f"{found.finding.text} {found.advice}"
    assert (found.advice == "") == (found.grade is OK)


def test_a_port_of_ours_at_an_address_that_is_not_there_lets_nobody_in() -> None:
    ours = PortHolder(user="root", process=OURS, is_ours=True)
    seen = PortSeen(wanted=CLIENTS_PORT, holder=ours, bind_error=98, missing=("192.0.2.7",))
    found = judge_port(seen)
    assert (found.grade, found.finding.code) == (FAILURE, "no-such-address")
    assert "no address 192.0.2.7 now" in found.finding.text
    # A newcamd port may have addresses of its own.
    lines = '[[newcamd]]\nport = 15000\nkey = "0102030405060708091011121314"\nbind = ["192.0.2.8"]'
    toml = parse_toml(f'[server]\nbind = ["192.0.2.7"]\n{lines}', kinds={}, folder=Path()).config
    assert listened_addresses(Config(), toml) == ("192.0.2.7", "192.0.2.8")


def test_at_a_start_a_server_of_ours_is_in_the_way() -> None:
    found = explain_taken(CLIENTS_PORT, PortHolder(user="root", process=OURS, is_ours=True))
    assert found.text == "taken by cccamd (process 8 of root): a cccamd server runs already"
    assert found.change.startswith("Stop cccamd, or choose another number")


def test_only_ports_that_are_opened_count() -> None:
    config = parse(b"ALLOW WEBINFO : no\nSERVER LISTEN PORT : 0").config
    assert [door.purpose for door in wanted_ports(config, TomlConfig())] == ["telnet information"]
    assert config.webinfo == InfoPort(allowed=False, port=16001)


def an_installation(**words: object) -> Installation:
    fields: dict[str, object] = {"path": CFG, "named": False, "result": parse(b"F: a b")}
    return Installation(**(fields | words))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "expected", "word"),
    [
        ({}, OK, "first of the usual places"),
        ({"named": True}, OK, "named with -C"),
        ({"passed_over": (Path("/etc/cccam/CCcam.cfg"),)}, ADVICE, "only the first one counts"),
        ({"unreadable": "no permission to read it"}, FAILURE, "no permission"),
        ({"named": True, "missing": True}, FAILURE, "no such file"),
        ({"path": None, "missing": True}, ADVICE, "built-in example"),
    ],
)
def test_which_file_is_read(words: dict[str, object], expected: Grade, word: str) -> None:
    found = judge_source(an_installation(**words))
    assert found.grade is expected
    assert word in found.finding.text


@pytest.mark.parametrize(
    ("text", "expected", "word"),
    [
        (b"F: a b\nC: h.example 1 u p", OK, "1 account and 1 C-line, nothing to complain"),
        (b"F: a b\nBLA", ADVICE, "line 2: W100"),
        (b"F: a b\nF: carl secret 5 1 {1,0,0,0,0,0,0,0}", WARNING, "line 2: E313"),
        (b"BLA", FAILURE, "does not start"),
    ],
)
def test_what_check_says_is_summed_up(text: bytes, expected: Grade, word: str) -> None:
    found = judge_content(CFG, parse(text))
    assert found.grade is expected
    assert word in "\n".join((found.finding.text, *found.more))


def an_access(mode: int, *, folder_mode: int = 0o755, uid: int = 1000) -> Access:
    way = (WayPart("/etc", folder_mode, 0, 0), WayPart(str(CFG), mode, 0, 0))
    return Access(path=CFG, way=way, user=SystemUser("cccam", uid, frozenset({1000})), why="unit")


@pytest.mark.parametrize(
    ("access", "expected", "word"),
    [
        (an_access(0o600), FAILURE, "chmod 640"),
        (an_access(0o644, folder_mode=0o700), FAILURE, "enter the folder /etc"),
        (an_access(0o644), ADVICE, "chmod o-r"),
        (an_access(0o600, uid=0), OK, "may read it"),
    ],
)
def test_access(access: Access, expected: Grade, word: str) -> None:
    found = judge_access(access)
    assert found.grade is expected
    assert word in f"{found.finding.text} {found.advice}"


PACKET = FirstPacket(port=12000, interface="eth0", address=IPv4Address("192.168.1.5"))
CHAIN = {"family": "inet", "table": "filter", "name": "input"}


def nft(*expression: dict[str, Any], policy: str = "accept") -> dict[str, Any]:
    """A ruleset with one rule, in the form of `nft -j list ruleset`."""
    hook = {"type": "filter", "hook": "input", "prio": 0, "policy": policy}
    rule = {"family": "inet", "table": "filter", "chain": "input", "expr": list(expression)}
    return {"nftables": [{"chain": CHAIN | hook}, {"rule": rule}]}


FROM_SOME = {
    "match": {
        "op": "==",
        "left": {"payload": {"protocol": "ip", "field": "saddr"}},
        "right": "192.168.1.9",
    }
}
DROP = {"drop": None}


@pytest.mark.parametrize(
    ("rules", "knock", "expected", "word"),
    [
        (Ruleset(nft=nft()), Knock.ANSWERED, Grade.OK, "no rule of this machine drops"),
        (Ruleset(nft=nft(policy="drop")), Knock.NOT_TRIED, Grade.FAILURE, "a rule drops"),
        (Ruleset(nft=nft(policy="drop")), Knock.SILENT, Grade.FAILURE, "got no answer"),
        (Ruleset(nft=nft(FROM_SOME, DROP)), Knock.ANSWERED, Grade.ADVICE, "depends"),
        (Ruleset(forbidden=True), Knock.NOT_TRIED, Grade.NOT_CHECKED, "only root"),
        (Ruleset(forbidden=True), Knock.ANSWERED, Grade.OK, "only root can see the rules"),
        (Ruleset(forbidden=True), Knock.SILENT, Grade.FAILURE, "gets no answer"),
        (Ruleset(), Knock.NOT_TRIED, Grade.NOT_CHECKED, "neither nft nor iptables"),
        (Ruleset(nft={"nftables": [{"rule": {}}]}), Knock.NOT_TRIED, Grade.NOT_CHECKED, "read"),
    ],
)
def test_firewall(rules: Ruleset, knock: Knock, expected: Grade, word: str) -> None:
    found = judge_firewall(PACKET, rules, knock)
    assert found.grade is expected
    assert word in found.finding.text


def test_what_a_running_server_does_not_run_with() -> None:
    problems = tuple(
        ConfigProblem(kind=kind, file="CCcam.cfg", line=1, text=f"this is {kind.value}")
        for kind in ConfigProblemKind
    )
    state = ConfigState(taken=False, refusal="CCcam.cfg: it is empty", problems=problems)
    found = [(one.finding.code, one.grade, one.finding.text) for one in judge_config_state(state)]
    assert [(code, grade) for code, grade, _ in found] == [
        ("files-refused", FAILURE),
        ("not-done", WARNING),
        ("waits", ADVICE),
    ]
    assert "CCcam.cfg: it is empty" in found[0][2]
    assert judge_config_state(ConfigState()) == []


def test_a_newcamd_port_that_another_listener_has_is_looked_at_once() -> None:
    config = parse(b"ALLOW WEBINFO : no\nALLOW TELNETINFO : no\n").config
    ports = (NewcamdTable(port=12000), NewcamdTable(port=15000))
    found = wanted_ports(config, TomlConfig(newcamd=ports))
    assert [(each.port, each.purpose) for each in found] == [
        (12000, "clients"),
        (15000, "newcamd clients"),
    ]
