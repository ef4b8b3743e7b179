"""The old pages, read as each tool on receivers reads them (docs/webinfo.md P1 to P22)."""

import re
from dataclasses import replace
from datetime import datetime

import pytest
from contexts import provider_name
from hypothesis import given
from hypothesis import strategies as st
from readers import BlackHole, Panel, Php, Ts2, Vix

from cccamd.facts import EcmResult, Snapshot
from cccamd.ids import Caid, Ident
from cccamd.oldinfo.oldpages import OLD_TEXTS, old_page
from cccamd.oldinfo.oldtables import Look
from cccamd.oldinfo.words import heading, home_block
from fact_factory import (
    LOCAL,
    NOW,
    OFFLINE,
    UPSTREAM,
    a_card,
    a_client,
    a_household,
    a_local_source,
    a_service,
    a_snapshot,
    a_source,
    a_use,
)

LOOK = Look(provider_name=provider_name)
TABLES = ("clients", "activeclients", "servers", "shares", "providers")
COLUMNS = {"clients": 8, "activeclients": 8, "servers": 7, "shares": 7, "providers": 4}
MINIMUM = {"clients": 8, "activeclients": 8, "servers": 7, "shares": 7, "providers": 5}


def page(name: str, snapshot: Snapshot, look: Look = LOOK) -> str:
    return old_page(snapshot.program, OLD_TEXTS[name](snapshot, look))


def home(snapshot: Snapshot) -> str:
    return f"<HTML><BODY>{heading(snapshot.program)}\n{home_block(snapshot)}"


def crowd(number: int = 300) -> Snapshot:
    clients = (
        a_client(f"user{index}", heard_at=NOW - index, uses=(a_use(asked=index + 1), a_use(0x1702)))
        for index in range(number)
    )
    cards = (a_card(share_id=index, caid=Caid(0x100 + index), hop=2) for index in range(number))
    source = a_source(cards_by_hop={2: number})
    return a_snapshot(clients=tuple(clients), sources=(source,), cards=tuple(cards))


SNAPSHOTS = {"empty": a_snapshot, "household": a_household, "crowd": crowd}
all_snapshots = pytest.mark.parametrize(
    "snapshot", [make() for make in SNAPSHOTS.values()], ids=list(SNAPSHOTS)
)


# The frame: P1, P2, P3, P6, and P22 of the frame.


@all_snapshots
@pytest.mark.parametrize("name", OLD_TEXTS)
def test_frame_of_every_page(name: str, snapshot: Snapshot) -> None:
    document = page(name, snapshot)
    assert document.count("<H2>Welcome to CCcam cccamd-0.1.0 server</H2>\n") == 1
    assert len(re.findall("<h2", document, re.IGNORECASE)) == 1
    assert Vix.version(document) == "cccamd-0.1.0"
    assert Ts2.heading(document) == "Welcome to CCcam cccamd-0.1.0 server"
    assert Php.heading(document) == "Welcome to CCcam cccamd-0.1.0 server"
    before = document[: document.index("<H2>")]
    assert not re.search(r"Welcome|server|Current|card|\||<BR><BR>", before)
    assert document.count("<PRE>") == document.count("</PRE>") == 1
    assert document[: document.index("<PRE>")].count("|") == 0
    assert "\r" not in document
    document.encode()


def test_a_program_name_with_blanks_stays_one_word() -> None:
    assert Vix.version(heading("cccamd v0.1.0")) == "cccamd-v0.1.0"
    assert Vix.version(heading("a |<x>\n 1")) == "a-__x__-1"


# The home page: P4, P5.


def test_home_as_each_reader_sees_it() -> None:
    snapshot = a_household()
    document = home(snapshot)
    now = f"{datetime.fromtimestamp(NOW):%H:%M:%S}"
    lines = [
        f"Current time {now}",
        "NodeID: 380ceca0f39150d3",
        "Uptime: 01d 02:03:04",
        "Connected clients: 2",
        "Active clients: 1",
        "Total handled client ecm's: 360",
        "Total handled client emm's: 12",
        "Peak load (max queued requests per workerthread): 4",
    ]
    assert Vix.home(document) == lines
    assert Ts2.home(document) == lines
    read = Php.home(document)
    assert (read["time"], read["uptime"]) == (now, "01d 02:03:04")
    assert read["Connected clients"] == "2"
    assert read["Total handled client ecm's"] == "360"


def test_days_grow_beyond_two_digits() -> None:
    assert "Uptime: 17231d 20:00:52<BR>" in home(
        replace(a_snapshot(), started_at=NOW - 17_231 * 86_400 - 72_052.5)
    )


# Rules of all tables: P6 to P10, P12, P13, P19, P21.


@all_snapshots
@pytest.mark.parametrize("name", TABLES)
def test_rows_and_separators(name: str, snapshot: Snapshot) -> None:
    text = OLD_TEXTS[name](snapshot, LOOK)
    lines = [line for line in text.split("\n") if line.startswith(("|", "+"))]
    for line in lines:
        assert line.endswith(line[0])
        assert line.count(line[0]) - 1 in {COLUMNS[name], 2}
    assert all(line[:1] in ("|", "+") for line in text.split("\n") if "|" in line)
    marks = "".join(line[0] for line in lines)
    heading_rows = r"\|\|" if name == "shares" else r"\|"
    one_table = rf"\+{heading_rows}\+\|*\+"
    tables = 2 if "clients" in name else 1
    assert re.fullmatch(one_table * tables, marks)
    assert text[text.index("+") :].count("\n") + 1 >= 4
    Php.table(page(name, snapshot))


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        (
            "clients",
            "Connected clients: 0\n+?\n| Username| Host | Connected | Idle time | ECM | EMM |"
            " Version| Last used share |\n+?\n+?\n\n+?\n| Username| Shareinfo |\n+?\n+?\n",
        ),
        (
            "activeclients",
            "Connected clients: 0\n0 ACTIVE CLIENTS IN LAST 20 SECONDS\n+?\n| Username| Host |"
            " Connected | Idle time | ECM | EMM | Version| Last used share |\n",
        ),
        (
            "servers",
            "Server connections: 0\n+?\n| Host | Connected | Type | Version| NodeID | Cards |"
            " CAID/Idents |\n+?\n+?\n",
        ),
        (
            "shares",
            "Available shares: 0\n\n+?\n| Host | Type |Caid| System | Providers|Uphops | Nodes |\n"
            "|      |      |    |        |          |Maxdown|       |\n+?\n+?\n",
        ),
        (
            "providers",
            "Available providers: \n\n+?\n|Caid| Provider | Provider Name| System |\n+?\n+?\n",
        ),
    ],
)
def test_headings_word_for_word(name: str, begin: str) -> None:
    text = OLD_TEXTS[name](a_snapshot(), LOOK)
    assert re.sub(r"\+[-+]+", "+?", text).startswith(begin)


@all_snapshots
def test_every_reader_gets_every_row(snapshot: Snapshot) -> None:
    documents = {name: page(name, snapshot) for name in TABLES}
    accounts = [client.account for client in snapshot.clients]
    servers = [source.name for source in snapshot.sources if source.line]
    vix = {name: Vix.rows(documents[name], more_than=MINIMUM[name]) for name in TABLES}
    assert [row[0] for row in vix["clients"]] == accounts
    assert [row[0] for row in vix["servers"] if row[0]] == servers
    assert [row[0] for row in vix["shares"] if row[0]] == [card.source for card in snapshot.cards]
    assert Vix.available_shares(documents["shares"]) == len(snapshot.cards)
    assert Vix.hops(documents["shares"]) == [(card.hop, card.reshare) for card in snapshot.cards]
    assert list(Ts2.clients(documents["clients"])[0]) == accounts
    assert list(Php.clients(documents["clients"])) == accounts
    assert list(Php.servers(documents["servers"])) == servers
    assert len(Php.shares(documents["shares"])) == len(snapshot.cards)
    assert BlackHole.connected(documents["clients"]) == len(accounts)
    for name, words in {"clients": "Last used share", "servers": "CAID/Idents"}.items():
        assert len(BlackHole.rows(documents[name], heading=words)) == len(vix[name])
    shares = BlackHole.rows(documents["shares"], heading="Maxdown")
    assert len(shares) == len(snapshot.cards)
    providers = BlackHole.rows(documents["providers"], heading="System")
    assert len(providers) == len(vix["providers"])


# Clients: P14 to P17.


def test_clients_word_for_word() -> None:
    text = OLD_TEXTS["clients"](a_household(), replace(LOOK, timing=True))
    rows = [line for line in text.split("\n") if line.startswith("|") and line[1] != " "]
    assert rows[0] == (
        "|living   |192.168.1.20|00d 01:02:03|00d 00:00:04|180(175)|6(5) |2.3.0   "
        "|Das Erste (ok)   |0.123s    |"
    )
    assert "| Last used share |" in text
    assert "| Ecm time |" in text


def test_active_clients_are_those_that_asked_lately() -> None:
    document = page("activeclients", a_household())
    assert BlackHole.active(document) == 1
    assert BlackHole.connected(document) == 2
    assert Panel.clients(document) == ["living"]
    assert [row[0] for row in Vix.rows(document, more_than=8)] == ["living"]
    assert Ts2.clients(document)[0].keys() == {"living"}


def test_a_client_that_just_came_has_been_there_for_a_second() -> None:
    snapshot = a_snapshot(clients=(a_client(connected_at=NOW, heard_at=NOW + 5),))
    client = Php.clients(page("clients", snapshot))["living"]
    assert client["per_hour"] == 180 * 3600
    assert client["idle"] == 0


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "Das Erste (ok)"),
        ({"last_result": EcmResult.NOK1}, "Das Erste (nok1)"),
        ({"last_result": EcmResult.NOK2}, "Das Erste (nok2)"),
        ({"last_result": None}, ""),
        ({"service": None}, ""),
    ],
)
def test_last_used_share(changes: dict[str, object], shown: str) -> None:
    document = page("clients", a_snapshot(clients=(a_client("living", **changes),)))
    (row,) = BlackHole.rows(document, heading="Last used share")
    assert row[7] == shown
    good = shown in ("", "Das Erste (ok)")
    assert Php.clients(document)["living"]["good"] is good


def test_a_service_without_a_name_is_shown_in_numbers() -> None:
    document = page("clients", a_snapshot(clients=(a_client(service=a_service(name=None)),)))
    (row,) = BlackHole.rows(document, heading="Last used share")
    assert row[7] == "0500:032830:1d80 (ok)"
    assert [found.start() for found in re.finditer(":", row[7])] == [4, 11]


def test_shareinfo_lists_what_each_client_asked_for() -> None:
    document = page("clients", a_household())
    assert Ts2.clients(document)[1] == [
        ("living", "local 0500:032830", "7(6)"),
        ("bedroom", "remote 0500:032830", "7(6)"),
        ("bedroom", "local 1815:000000", "3(2)"),
    ]
    assert Php.shareinfo(document)["bedroom"] == {"0500:032830": (7, 6), "1815:000000": (3, 2)}


def test_without_extended_client_info_the_second_table_is_empty() -> None:
    document = page("clients", a_household(), replace(LOOK, extended=False))
    assert Ts2.clients(document)[1] == []
    assert len(Ts2.clients(document)[0]) == 2


def test_a_user_without_shares_is_left_out() -> None:
    snapshot = a_snapshot(clients=(a_client("silent", uses=()), a_client("living")))
    assert Php.shareinfo(page("clients", snapshot)).keys() == {"living"}


def test_two_clients_of_one_account_get_a_row_each() -> None:
    snapshot = a_snapshot(clients=(a_client("box"), a_client("box"), a_client("b ox")))
    assert Php.clients(page("clients", snapshot)).keys() == {"box", "box(2)", "b_ox"}


def test_ecm_time_is_a_ninth_column_for_all_readers() -> None:
    document = page("clients", a_household(), replace(LOOK, timing=True))
    assert [row[8] for row in Vix.rows(document, more_than=8)] == ["0.123s"] * 2
    assert Ts2.clients(document)[0]["living"][8] == "0.123s"
    assert len(Php.clients(document)) == 2


# Servers: P14, P17.


def test_servers_that_are_up_and_down() -> None:
    servers = Ts2.servers(page("servers", a_household()))
    assert servers[UPSTREAM].connected == "01d 01:01:01"
    assert servers[UPSTREAM].cards == "2"
    assert servers[UPSTREAM].idents == [
        "remote 1815:000000 23415(23414)",
        "remote 0500:030b00 12(11)",
    ]
    assert servers[OFFLINE].connected == ""
    assert servers[OFFLINE].cards == "0"
    assert LOCAL not in servers


def test_idents_are_grouped_under_their_host() -> None:
    assert Php.servers(page("servers", a_household())) == {
        UPSTREAM: {"remote": ["1815:000000", "0500:030b00"]},
        OFFLINE: {},
    }


def test_servers_row_word_for_word() -> None:
    rows = BlackHole.rows(page("servers", a_household()), heading="CAID/Idents")
    assert rows[0][2:5] == ["CCcam-s2s", "2.1.4", "b3f5ede510f416b2"]


# Shares and providers: P11, P18.


def test_shares_rows() -> None:
    lines = OLD_TEXTS["shares"](a_household(), LOOK).split("\n")
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("|") and line[1] != " "]
    assert [row[2] for row in rows] == ["7f00", " 100", "1702"]
    assert [row[3].strip() for row in rows] == ["Unknown", "seca", "betacrypt"]
    assert [row[4].strip() for row in rows] == ["a", "0,68,3311", ""]
    assert [row[5] for row in rows] == ["0   10 ", "1   0  ", "2   1  "]
    assert [row[6].strip() for row in rows] == [
        "380ceca0f39150d3_2",
        "b3f5ede510f416b2_90000",
        "b3f5ede510f416b2_90001,00112233445566aa_90001",
    ]


def test_shares_belong_to_servers_of_the_same_name() -> None:
    snapshot = a_household()
    servers = Ts2.servers(page("servers", snapshot))
    counts = Ts2.shares(page("shares", snapshot), servers)
    assert counts == {"": 1, UPSTREAM: 2, OFFLINE: 0}
    assert {name: int(server.cards) for name, server in servers.items()} == {
        name: count for name, count in counts.items() if name
    }
    assert Php.shares(page("shares", snapshot)) == [
        (LOCAL, "0", "380ceca0f39150d3"),
        (UPSTREAM, "1", "b3f5ede510f416b2"),
        (UPSTREAM, "2", "00112233445566aa"),
    ]


def test_a_card_of_ours_is_never_taken_for_a_servers() -> None:
    snapshot = a_snapshot(
        sources=(a_local_source("box:12000"), a_source("other:12000", cards_by_hop={})),
        cards=(a_card("box:12000", hop=1),),
    )
    servers = Ts2.servers(page("servers", snapshot))
    assert Ts2.shares(page("shares", snapshot), servers) == {"": 1, "other:12000": 0}
    assert "box_12000" in page("shares", snapshot)


def test_a_card_without_a_path_is_on_its_servers_node() -> None:
    snapshot = a_snapshot(sources=(a_source(),), cards=(a_card(path=()),))
    assert Php.shares(page("shares", snapshot))[0][2] == "b3f5ede510f416b2"


def test_providers_are_written_as_in_shares() -> None:
    snapshot = a_household()
    found = Ts2.providers(page("providers", snapshot), page("shares", snapshot))
    assert found == {
        ("100", "0"): ("Unknown", 1),
        ("100", "68"): ("ARD", 1),
        ("100", "3311"): ("Unknown", 1),
        ("7f00", "a"): ("Unknown", 1),
    }
    assert "| 100|          |Unknown       |seca    |" in page("providers", snapshot)


# Entitlements: P22.


def test_entitlements_name_our_cards() -> None:
    document = page("entitlements", a_household())
    assert Ts2.readers(document) == [LOCAL]
    assert Php.handled(document) == 40
    assert Vix.entitlements(document).split("\n")[1:-1] == [
        "card reader attic",
        "kind: test",
        "caid: 7f00 system: Unknown",
        "provider: 00000a",
        "handled 40(39) ecms",
    ]


def test_entitlements_without_cards() -> None:
    assert Vix.entitlements(page("entitlements", a_snapshot())) == ""
    silent = a_snapshot(sources=(a_local_source(),))
    assert "card reader attic\nno or unknown card inserted\n" in page("entitlements", silent)


# Any name at all: P21.

texts = st.text(max_size=30) | st.sampled_from(
    [
        "a|b",
        "x\ny",
        "tab\tbed",
        "</PRE><H2>",
        "card reader x",
        "handled 9(9)",
        "| Shareinfo",
        "+--",
        "a,b,c",
        "Current",
        "</BODY></HTML>",
        "\u2028",
        "\x85",
        "\ud800",
        " U",
        "&lt;",
    ]
)


@given(texts, texts, texts, texts)
def test_hostile_names_break_nothing(user: str, host: str, version: str, name: str) -> None:
    look = Look(timing=True, provider_name=lambda *_: name)
    watched = a_service(name=name)
    snapshot = a_snapshot(
        clients=(
            a_client(user, version=version, service=watched),
            a_client("second", service=watched),
            a_client(user, service=watched),
        ),
        sources=(a_local_source(user), a_source(f"{host}:1", version=version)),
        cards=(a_card(f"{host}:1"), a_card(user, idents=(Ident(7),))),
    )
    documents = {name: page(name, snapshot, look) for name in OLD_TEXTS}
    for document in documents.values():
        document.encode()
        assert Ts2.heading(document) == "Welcome to CCcam cccamd-0.1.0 server"
        assert len(document.splitlines()) == document.count("\n") + 1
        assert document.count("<H2>") == document.count("<PRE>") == 1
    assert len(Ts2.clients(documents["clients"])[0]) == 3
    assert len(Php.clients(documents["clients"])) == 3
    assert len(Vix.rows(documents["clients"], more_than=8)) == 3
    servers = Ts2.servers(documents["servers"])
    assert sum(Ts2.shares(documents["shares"], servers).values()) == 2
    assert len(Ts2.providers(documents["providers"], documents["shares"])) == 4
    assert len(Ts2.readers(documents["entitlements"])) == 1
    assert Php.handled(documents["entitlements"]) == 40
    assert len(BlackHole.rows(documents["shares"], heading="Maxdown")) == 2
