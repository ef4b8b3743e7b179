"""To OSCam and back again: whenever nothing is reported as lost, everything means the same."""

import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oscam_meaning import MOMENTS
from typer.testing import CliRunner

from cccamd.cards import CardTable, Limit, View, Viewer, judge
from cccamd.cli import command_line
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.localcards import find_kinds
from cccamd.setup.cccamcfg import Config, parse
from cccamd.setup.logins import accounts_of, upstreams_of
from cccamd.setup.merging import merge
from cccamd.setup.oscam import Lost, export_folder, import_folder
from cccamd.setup.toml import TomlConfig
from cccamd.setup.toml import parse as parse_toml
from cccamd.values import Offer, Provider, Request

US, THEM = NodeId(b"\x01" * 8), NodeId(b"\x02" * 8)
CAIDS, IDENTS, SIDS = (0xFF01, 0xFF02), (0, 0x102, 0x103), (1, 2)
BASE = "SERVER LISTEN PORT : 12001\nALLOW TELNETINFO : no\nALLOW WEBINFO : no\n"
LINK = "C: h.example 12000 u p"


def read(cfg: bytes, toml: bytes) -> tuple[Config, TomlConfig]:
    found = parse_toml(toml.decode(), kinds=find_kinds(), folder=Path())
    assert not found.problems, [str(each) for each in found.problems]
    return merge(parse(cfg).config, found.config), found.config


def there_and_back(config: Config, toml: TomlConfig) -> tuple[Config, TomlConfig, tuple[Lost, ...]]:
    exported = export_folder(config, toml, out="/out")
    files = dict(exported.files)
    imported = import_folder(files, lambda name: files.get(name.rpartition("/")[2]), out="/out")
    back = read(imported.written.cccam_cfg, imported.written.cccamd_toml or b"")
    return (*back, (*exported.lost, *imported.lost))


def offers() -> list[Offer]:
    return [
        Offer(
            share_id=ShareId(number),
            remote_id=number,
            caid=Caid(caid),
            hop=hop,
            reshare=reshare,
            providers=tuple(Provider(Ident(each)) for each in idents),
            path=(THEM,),
        )
        for number, (caid, hop, reshare, idents) in enumerate(
            product(CAIDS, (0, 1, 3), (1, 5), ((0,), (0x102,), (0x102, 0x103))), start=1
        )
    ]


def sights(config: Config, toml: TomlConfig) -> list[object]:
    """What each account gets of each card of each source, and which services."""
    seen: list[object] = []
    for upstream in upstreams_of(config, toml):
        table = CardTable(US)
        source = table.add_source(upstream.policy)
        for offer in offers():
            table.add(source, offer)
        for account in accounts_of(config, toml).values():
            viewer = Viewer(account=account.line, global_limits=account.global_limits)
            for card in table.cards():
                verdict = judge(viewer, card)
                if verdict.visible:
                    idents = [each.ident for each in verdict.providers]
                    update = account.emm_allowed and card.access.may_update(account.line.emm_to)
                    what = (card.share_id, verdict.reshare, idents, update)
                    seen.append((upstream.name, account.line.user, *what))
            view = View(table, viewer)
            for caid, ident, sid in product(CAIDS, IDENTS[1:], SIDS):
                asked = Request(Caid(caid), Ident(ident), ShareId(0), Sid(sid), b"")
                able = sorted(card.share_id for card in view.candidates(asked).cards)
                seen.append((account.line.user, caid, ident, sid, able))
    return seen


def logins(config: Config, toml: TomlConfig) -> list[object]:
    return [
        (
            account.user,
            account.password,
            account.emm_allowed,
            account.logins,
            line.host,
            [moment for moment in MOMENTS if replace(line, expires=None).is_open(moment)],
            line.expires,
            line.enabled,
            sorted(line.protocols),
        )
        for account in accounts_of(config, toml).values()
        for line in (account.line,)
    ]


def links(config: Config, toml: TomlConfig) -> list[object]:
    return [
        (each.key, each.line.user_bytes(), each.line.password_bytes(), each.version)
        for each in upstreams_of(config, toml)
    ]


def limits(most: int) -> st.SearchStrategy[str]:
    entry = st.builds(
        "{:04X}:{:06X}:{}".format,
        st.sampled_from(CAIDS),
        st.sampled_from(IDENTS),
        st.integers(0, most),
    )
    base = st.just([]) | st.integers(0, 4).map(lambda number: [f"0:0:{number}"])
    groups = st.tuples(base, st.lists(entry, max_size=3))
    return groups.map(lambda both: f"{{ {', '.join(both[0] + both[1])} }}")


SERVICES = st.lists(
    st.builds(
        "{:04X}:{:06X}:{:04X}".format,
        st.sampled_from(CAIDS),
        st.sampled_from(IDENTS[1:]),
        st.sampled_from(SIDS),
    ),
    max_size=3,
).map(lambda each: f"{{ {', '.join(each)} }}")
FRAMES = st.sampled_from(["{ }", "{ 10:00-12:00, 22:00-02:00 }"])
HOSTS = st.sampled_from(["", "192.0.2.7"])
F_LINE = st.builds(
    "{} 1 {} {} {} {} {}".format,
    st.integers(0, 4),
    st.integers(0, 1),
    limits(2),
    SERVICES,
    FRAMES,
    HOSTS,
)
GROUPS = st.lists(st.integers(1, 3), max_size=2, unique=True)
EXTRAS = st.dictionaries(
    st.sampled_from(
        [
            "groups = [1]",
            "groups = []",
            'idents = ["FF01:000000", "FF01:000102"]',
            'services = ["news", "!late"]',
            'services = ["!late"]',
            "expires = 2031-01-02",
            "max_connections = 2",
            'protocols = ["cccam", "newcamd"]',
            "enabled = false",
            'emm_to = ["main"]',
            'times = { SAT = ["10:00-12:00"], ALL = ["08:00-09:00"] }',
        ]
    ),
    st.none(),
    max_size=4,
)
UPSTREAM = st.sampled_from(
    [
        "",
        "groups = [1, 2]",
        "groups = [3]",
        "emm = false",
        "reshare = 1",
        'cccversion = "2.1.4"',
        'idents = ["FF01:000102"]',
        'services = ["news"]',
    ]
)
LISTS = '[services.news]\ncaids = ["FF01"]\nsids = ["0001"]\n[services.late]\nsids = ["0002"]\n'


@settings(max_examples=40, derandomize=True)
@given(F_LINE, F_LINE, EXTRAS, UPSTREAM, limits(1))
def test_there_and_back_again(
    anna: str, ben: str, extras: dict[str, None], upstream: str, c_limits: str
) -> None:
    names = {each.partition(" ")[0]: each for each in extras}
    cfg = f"{BASE}F: anna s3cret {anna}\nF: ben K\u00e4se {ben}\n{LINK} no {c_limits}\n"
    toml = "[limits]\nlogins_per_account = 1000\n"
    if names:
        toml += '[[account]]\nuser = "anna"\n' + "\n".join(names.values()) + "\n"
    toml += '[[upstream]]\nhost = "h.example"\nport = 12000\nuser = "u"\nname = "main"\n'
    before = read(cfg.encode(), f"{toml}{upstream}\n{LISTS}".encode())
    *after, lost = there_and_back(*before)
    assert links(*before) == links(*after)
    if not lost:
        assert logins(*before) == logins(*after)
        assert sights(*before) == sights(*after)


def test_settings_come_back() -> None:
    cfg = BASE.replace("ALLOW WEBINFO : no", "WEBINFO LISTEN PORT : 8001\nLOG FILE : /var/log/x")
    cfg += "N: n.example 15000 u p 0102030405060708091011121314 2\nF: a b 1 0 0\n"
    toml = '[server]\ncccversion = "2.1.4"\nbind = ["192.0.2.1"]\n[cache]\nseconds = 20\n'
    toml += '[[newcamd]]\nport = 15000\ncaid = "FF01"\nproviders = ["000102"]\n'
    before, table = read(cfg.encode(), toml.encode())
    after, back, lost = there_and_back(before, table)
    assert lost == ()
    assert after.server_listen_port == 12001
    assert after.webinfo.port == 8001
    assert after.settings.log_file == "/var/log/x"
    assert [(each.deskey, each.hops) for each in after.n_lines] == [
        ("0102030405060708091011121314", 2)
    ]
    assert (back.server, back.cache) == (table.server, table.cache)
    assert back.newcamd[0].wish == table.newcamd[0].wish


def test_a_limit_that_oscam_has_no_word_for_is_told() -> None:
    config, toml = read(f"{BASE}F: a b 5 0 0 {{ FF01:0:1, FF02:0:3 }}\n".encode(), b"")
    (lost,) = export_folder(config, toml, out="/out").lost
    assert (lost.file, lost.line) == ("CCcam.cfg", 4)
    assert Limit(Caid(0xFF01), Ident(0), 1) in config.f_lines[0].limits


def test_the_command(tmp_path: Path) -> None:
    config = tmp_path / "CCcam.cfg"
    config.write_text(f"{BASE}F: a b 5 0 0\n")
    words = ["export", "oscam", str(tmp_path / "out"), "-C", str(config)]
    run = CliRunner().invoke
    done = run(command_line(words), words)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "oscam.user").stat().st_mode & 0o777 == 0o600
    assert run(command_line(words), words).exit_code == 2
    missing = ["export", "oscam", str(tmp_path / "other"), "-C", str(tmp_path / "none" / "x")]
    assert run(command_line(missing), missing).exit_code in (0, 2)


@pytest.mark.parametrize("user", ["a" * 20, "a b"])
def test_names_that_only_one_of_them_holds(user: str) -> None:
    toml = f'[[account]]\nuser = "{user}"\npassword = "x y"\n'
    before = read(BASE.encode(), toml.encode())
    *after, lost = there_and_back(*before)
    assert lost == ()
    assert logins(*before) == logins(*after)


SECOND = "C: i.example 12000 u p"
DVBAPI = '[dvbapi]\nport = 9000\naccount = "anna"\nlisten = ["192.0.2.1"]\n'
UPSTREAM = '[[upstream]]\nhost = "h.example"\nport = 12000\nuser = "u"\n'
NEWCAMD = '[[newcamd]]\nport = {}\ncaid = "FF01"\n{}\n'


def settings_there(config: Config, toml: TomlConfig) -> list[object]:
    """What is said besides accounts and their rights."""
    return [
        toml.newcamd,
        toml.server,
        toml.penalties,
        toml.dvbapi,
        config.settings.global_emm,
        sorted((each.name, each.policy.minimum_downhops) for each in upstreams_of(config, toml)),
    ]


@pytest.mark.parametrize(
    ("cfg", "toml", "lost"),
    [
        ("", NEWCAMD.format(1500, 'bind = ["192.0.2.1"]\nallow = ["192.168.1.0/24"]'), []),
        (
            "",
            NEWCAMD.format(1500, 'allow = ["192.168.1.0/24"]') + NEWCAMD.format(1501, ""),
            ["allow"],
        ),
        (
            "",
            NEWCAMD.format(1500, 'bind = ["192.0.2.1"]') + NEWCAMD.format(1501, ""),
            ["bind"],
        ),
        ("", NEWCAMD.format(1500, 'bind = ["192.0.2.1", "192.0.2.2"]'), ["bind"]),
        ("", NEWCAMD.format(1500, 'allow = ["2001:db8::/64"]'), ["allow"]),
        ("", '[server]\nbind = ["192.0.2.1"]', []),
        ("", '[server]\nbind = ["192.0.2.1", "192.0.2.2"]', ["bind"]),
        ("", "[penalties]\nattempts = 3\nban = 1800", []),
        ("", "[penalties]\nattempts = 3\nban = 90", ["ban"]),
        ("", '[penalties]\nexempt = ["203.0.113.0/24"]', ["exempt"]),
        ("", "[tls]\nport = 12002", ["port"]),
        ("", '[network]\nallow = ["203.0.113.0/24"]', ["allow"]),
        ("", f"{DVBAPI}networks = ['192.168.1.0/24']", ["networks"]),
        ("", f"{UPSTREAM}minimum_downhops = 2", []),
        ("MINIMUM DOWNHOPS : 2\n", f"{UPSTREAM}minimum_downhops = 0", []),
        ("MINIMUM DOWNHOPS : 2\n", "", []),
        ("", f'{UPSTREAM}paired = "attic"', ["paired"]),
        ("", '[[account]]\nuser = "anna"\npaired = "attic"', ["paired"]),
        ("GLOBAL EMM : 0\n", "", []),
        ("GLOBAL EMM : 1\n", "", ["GLOBAL EMM"]),
        ("CHANNELINFO FILE : /etc/names\n", "", ["CHANNELINFO FILE"]),
        ("CAID PRIO FILE : /etc/prio\n", "", ["CAID PRIO FILE"]),
        ("", "[[newcamd]]\nport = 1500\n", []),
        ("", f"{NEWCAMD.format(1500, '')}[[newcamd]]\nport = 1501\n", ["caid"]),
    ],
)
def test_what_a_setting_says_is_there_again_or_told(cfg: str, toml: str, lost: list[str]) -> None:
    lines = f"{BASE}{cfg}F: anna secret 3 0 1\n{LINK}\n{SECOND}\n"
    before = read(lines.encode(), toml.encode())
    *after, told = there_and_back(*before)
    assert [each.key for each in told] == lost
    if not lost:
        assert settings_there(*after) == settings_there(*before)  # type: ignore[arg-type]


def test_how_often_an_account_may_be_in_goes_to_oscam() -> None:
    toml = b'[[account]]\nuser = "anna"\nlogins = 7\n[[account]]\nuser = "ben"\nlogins = 8\n'
    exported = export_folder(*read(b"F: ben s\nF: anna s\n", toml), out="/out")
    numbers = re.findall(
        rb"user += (\w+)|max_connections += (\d+)", dict(exported.files)["oscam.user"]
    )
    assert numbers == [(b"ben", b""), (b"", b"8"), (b"anna", b""), (b"", b"7")]
