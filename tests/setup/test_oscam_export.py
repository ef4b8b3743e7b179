"""`cccamd export oscam`: the folder means what the files meant, or it is told; and never more."""

import json
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from oscam_exports import gone_wrong
from oscam_meaning import Probes
from typer.testing import CliRunner, Result

from cccamd.cli import command_line
from cccamd.setup.setup import load_setup

PROBES = Probes([0xFF01, 0xFF02], [0, 0x102, 0x103], [1, 2, 0x7777])
BASE = "SERVER LISTEN PORT : 12001\nALLOW TELNETINFO : no\n"
MAIN, SPARE = ("h.example", "u"), ("n.example", "v")
KEY = "01 02 03 04 05 06 07 08 09 10 11 12 13 14"


def export(folder: Path, cfg: str, toml: str) -> Result:
    (folder / "CCcam.cfg").write_text(cfg, encoding="utf-8")
    (folder / "cccamd.toml").write_text(toml, encoding="utf-8")
    words = ["export", "oscam", str(folder / "out"), "-C", str(folder / "CCcam.cfg"), "--json"]
    return CliRunner().invoke(command_line(words), words)


def judged(folder: Path, cfg: str, toml: str = "") -> tuple[list[str], list[dict[str, object]]]:
    """Export by the command; what has gone wrong, and what was told."""
    done = export(folder, cfg, toml)
    setup = load_setup(folder / "CCcam.cfg", None)
    assert not setup.doubtful, setup.doubt
    told = json.loads(done.stdout)["lost"]
    assert done.exit_code == (3 if told else 0)
    for each in told:
        assert list(each) == ["file", "section", "key", "line", "why"]
    files = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    for secret in ("s3cret", "K\u00e4se"):
        assert secret not in done.stdout
    return list(gone_wrong(setup, files, told, PROBES)), told


LIMIT = st.builds(
    "{}:{}".format,
    st.sampled_from(["0:0", "FF01:0", "FF02:0", "FF01:102", "FF02:103"]),
    st.integers(0, 3),
)
GROUP = st.lists(LIMIT, max_size=3, unique_by=lambda each: each.rpartition(":")[0]).map(
    lambda each: f"{{ {', '.join(each)} }}"
)
SIDS = st.lists(
    st.sampled_from(["FF01:102:1", "FF01:103:2", "FF02:103:1", "FF02:102:7777"]), max_size=2
).map(lambda each: f"{{ {', '.join(each)} }}")
FRAMES = st.sampled_from(["{ }", "{ 10:00-12:00, 22:00-02:00 }"])
VENDOR = st.builds(
    "{} 1 {} {} {} {} {}".format,
    st.integers(0, 5),
    st.integers(0, 1),
    GROUP,
    SIDS,
    FRAMES,
    st.sampled_from(["", "192.0.2.7", "box.example"]),
)
MASK = st.builds("{} {} {{0,0,0,0,0,0,0,0}}".format, st.integers(0, 3), st.integers(0, 2))
RIGHTS = st.one_of(VENDOR, VENDOR, VENDOR, MASK, st.just(""))


def some(*lines: str) -> st.SearchStrategy[str]:
    """A few of these, each key once."""
    few = st.lists(
        st.sampled_from(lines), max_size=4, unique_by=lambda each: each.partition(" ")[0]
    )
    return few.map(lambda each: "".join(f"{line}\n" for line in each))


ACCOUNT = some(
    *("groups = [1]", "groups = [2, 3]", "groups = []", "expires = 2031-01-02"),
    *('idents = ["FF01:000000", "FF01:000102"]', 'idents = ["FF02:000103"]', 'caids = ["FF01"]'),
    *('services = ["news"]', 'services = ["!late"]', 'services = ["!whole", "news"]'),
    *("max_connections = 2", "enabled = false", 'emm_to = ["main"]', 'emm_to = ["spare"]'),
    *('protocols = ["cccam"]', 'protocols = ["newcamd"]', 'protocols = ["cccam", "dvbapi"]'),
    'times = { SAT = ["10:00-12:00"], ALL = ["08:00-09:00"] }',
)
UPSTREAM = some(
    *("groups = [1, 2]", "groups = [3]", "emm = false", "reshare = 0", "reshare = 2"),
    *('idents = ["FF01:000102"]', 'caids = ["FF02"]', 'services = ["news"]', "rank = 2"),
    "minimum_downhops = 2",
)
SETTINGS = some(
    *("GLOBAL LIMITS : { 0:0:2 }", "GLOBAL LIMITS : { 0:0:0, FF01:0:1 }", "DISABLE EMM : yes"),
    *("MINIMUM DOWNHOPS : 2", "GLOBAL EMM : 0", "GLOBAL EMM : 1", "ALLOW WEBINFO : no"),
    *("WEBINFO USERNAME : root", "MINIMUM CLIENT VERSION : 2.0.11"),
)
TABLES = st.lists(
    st.sampled_from(
        [
            "[[newcamd]]\nport = 15000\n",
            '[[newcamd]]\nport = 15001\ncaid = "FF01"\nproviders = ["000102"]\n',
            '[dvbapi]\nport = 9000\naccount = "anna"\n',
            "[cache]\nseconds = 20\n",
            '[server]\ncccversion = "2.1.4"\n',
            "[limits]\nlogins_per_account = 3\n",
        ]
    ),
    max_size=3,
    unique=True,
).map("".join)
LISTS = (
    '[services.news]\ncaids = ["FF01"]\nsids = ["0001"]\n[services.late]\nsids = ["0002"]\n'
    '[services.whole]\ncaids = ["FF02"]\n'
)


@settings(max_examples=60, derandomize=True, phases=[Phase.generate])
@given(
    st.tuples(RIGHTS, RIGHTS, RIGHTS),
    st.tuples(ACCOUNT, ACCOUNT),
    st.tuples(UPSTREAM, UPSTREAM),
    GROUP,
    SETTINGS,
    TABLES,
)
def test_any_setup_means_there_what_it_means_here(
    tmp_path_factory: pytest.TempPathFactory,
    rights: tuple[str, str, str],
    accounts: tuple[str, str],
    upstreams: tuple[str, str],
    limits: str,
    more: str,
    tables: str,
) -> None:
    anna, ben, cleo = rights
    cfg = (
        f"{BASE}{more}F: anna s3cret {anna}\nF: ben K\u00e4se {ben}\nF: K\u00e4the pw {cleo}\n"
        f"C: h.example 12000 u p no {limits}\nN: n.example 15000 v w {KEY} 2\n"
    )
    toml = tables
    for user, words in zip(("anna", "ben"), accounts, strict=True):
        toml += f'[[account]]\nuser = "{user}"\n{words}'
    for (host, user), port, name, words in zip(
        (MAIN, SPARE), (12000, 15000), ("main", "spare"), upstreams, strict=True
    ):
        # What a newcamd server does not say of its cards cannot be asked for.
        kept = words.replace("minimum_downhops = 2\n", "") if name == "spare" else words
        toml += f'[[upstream]]\nhost = "{host}"\nport = {port}\nuser = "{user}"\n'
        toml += f'name = "{name}"\n{kept}'
    wrong, told = judged(tmp_path_factory.mktemp("any"), cfg, toml + LISTS)
    assert wrong == [], f"{cfg}\n{toml}\n{told}"


ALL_SAID = f"{BASE}F: anna s3cret 3 0 1\nC: h.example 12000 u p\n"


@pytest.mark.parametrize(
    ("cfg", "toml", "status", "told"),
    [
        (ALL_SAID, "", 0, []),
        (f"{ALL_SAID}N: n.example 15000 v w {KEY} 2\n", "[[newcamd]]\nport = 15000\n", 0, []),
        (f"{ALL_SAID}IGNORE NODE : 1122334455667788\n", "", 3, ["IGNORE NODE"]),
        (ALL_SAID, '[[card]]\nkind = "test"\ncaid = "FF01"\n', 3, ["kind"]),
        (ALL_SAID.replace("3 0 1", "3 0 1 { FF01:0:1, FF02:0:3 }"), "", 3, ["F"]),
    ],
)
def test_the_status_says_whether_something_is_lost(
    cfg: str, toml: str, status: int, told: list[str], tmp_path: Path
) -> None:
    wrong, lost = judged(tmp_path, cfg, toml)
    assert wrong == []
    assert [each["key"] for each in lost] == told
    assert export(tmp_path, cfg, toml).exit_code == 2, "the files are there already"
    words = ["export", "oscam", str(tmp_path / "again"), "-C", str(tmp_path / "CCcam.cfg")]
    done = CliRunner().invoke(command_line(words), words)
    assert done.exit_code == status
    assert done.output.startswith("written to ")


@pytest.mark.parametrize(
    ("cfg", "toml", "why"),
    [
        (b"\xff\xfeF\0", b"", "E001"),
        (b"[account]\nuser = anna\n", b"", "E002"),
        (ALL_SAID.encode(), b"[[account]\n", "cccamd.toml:1"),
        (ALL_SAID.encode(), b"\xff\xfe[\0", "cccamd.toml"),
    ],
)
def test_what_cannot_be_read_is_not_exported(
    cfg: bytes, toml: bytes, why: str, tmp_path: Path
) -> None:
    """A cccamd.toml beside it, too: without it accounts would be open that it shuts."""
    (tmp_path / "CCcam.cfg").write_bytes(cfg)
    if toml:
        (tmp_path / "cccamd.toml").write_bytes(toml)
    words = ["export", "oscam", str(tmp_path / "out"), "-C", str(tmp_path / "CCcam.cfg")]
    done = CliRunner().invoke(command_line(words), words)
    assert done.exit_code == 2
    assert done.output.startswith("cccamd export oscam: ")
    assert why in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["a file", "below a file"])
def test_where_nothing_can_be_written(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "CCcam.cfg").write_text(ALL_SAID)
    out = tmp_path / "file" if place == "a file" else tmp_path / "file" / "out"
    words = ["export", "oscam", str(out), "-C", str(tmp_path / "CCcam.cfg")]
    done = CliRunner().invoke(command_line(words), words)
    assert (done.exit_code, "Traceback" in done.output) == (2, False)
    assert (tmp_path / "file").read_text() == "mine"


BOTH = '[[account]]\nuser = "anna"\ntimes = {{ SAT = ["{}"], ALL = ["08:00-09:00"] }}\n'


@pytest.mark.parametrize(
    ("frames", "saturday", "told"),
    [
        ("10:00-12:00, 22:00-02:00", "11:00-23:00", []),
        ("08:30-08:40", "10:00-12:00", []),
        ("00:00-24:00", "00:00-24:00", []),
        ("20:00-21:00", "10:00-12:00", ["F"]),
    ],
)
def test_hours_of_the_line_and_of_the_table_both_count(
    frames: str, saturday: str, told: list[str], tmp_path: Path
) -> None:
    cfg = ALL_SAID.replace("3 0 1", f"3 0 1 {{ }} {{ }} {{ {frames} }}")
    wrong, lost = judged(tmp_path, cfg, BOTH.format(saturday))
    assert wrong == []
    assert [each["key"] for each in lost] == told


def test_who_gets_no_card_gets_none_by_newcamd_either(tmp_path: Path) -> None:
    cfg = ALL_SAID.replace("3 0 1", "3 0 1 { 0:0:0 }")
    wrong, lost = judged(tmp_path, cfg, "[[newcamd]]\nport = 15000\n")
    assert (wrong, lost) == ([], [])
    assert "group" not in (tmp_path / "out" / "oscam.user").read_text()
    back = ["import", "oscam", str(tmp_path / "out"), "--out", str(tmp_path / "back")]
    done = CliRunner().invoke(command_line(back), back)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("limits", ["0:0:1", "0:0:2", "0:0:0", "0:0:0, FF01:0:2"])
def test_how_far_cards_of_a_source_may_come_from(limits: str, tmp_path: Path) -> None:
    cfg = ALL_SAID.replace("12000 u p", f"12000 u p no {{ {limits} }}")
    assert judged(tmp_path, cfg) == ([], [])


@pytest.mark.parametrize(
    ("limits", "reader", "list_"),
    [
        ("0:0:3, FF01:102:0", "cccmaxhops = 2\n", "caid = FF01\nprovid = 000102\n"),
        ("FF01:0:0", "ccckeepalive = 1\n", "caid = FF01\n"),
        ("0:0:0, FF01:0:2, FF01:102:0", "cccmaxhops = 1\n", "caid = FF01\nprovid = 000102\n"),
    ],
)
def test_a_source_is_not_asked_for_what_its_line_shuts(
    limits: str, reader: str, list_: str, tmp_path: Path
) -> None:
    cfg = ALL_SAID.replace("12000 u p", f"12000 u p no {{ {limits} }}")
    wrong, told = judged(tmp_path, cfg)
    assert wrong == []
    assert ["their cards are shown" in str(each["why"]) for each in told] == [True]
    server = (tmp_path / "out" / "oscam.server").read_text()
    assert "services = !deny_1\n" in server
    assert reader in server
    assert f"[deny_1]\n{list_}" in (tmp_path / "out" / "oscam.services").read_text()


@pytest.mark.parametrize("limits", ["0:0:3, FF01:0:1", "FF01:0:1", "0:0:0, FF01:0:1, FF02:0:3"])
def test_of_several_depths_of_a_source_the_least_counts(limits: str, tmp_path: Path) -> None:
    cfg = ALL_SAID.replace("12000 u p", f"12000 u p no {{ {limits} }}")
    wrong, told = judged(tmp_path, cfg)
    assert wrong == []
    assert [str(each["why"]).partition(":")[0] for each in told] == [
        "depths of single CAIDs have no equivalent"
    ]
    assert "cccmaxhops = 0\n" in (tmp_path / "out" / "oscam.server").read_text()


def test_who_needs_more_lists_than_oscam_takes_is_switched_off(tmp_path: Path) -> None:
    users = "".join(f"F: u{n} p 1 0 0 {{ }} {{ FF01:102:{n + 1:X} }}\n" for n in range(66))
    link = "C: h.example 12000 u p no { FF01:103:0 }\n"
    wrong, told = judged(tmp_path, BASE + users + link)
    assert wrong == []
    first, second, third = (str(each["why"]) for each in told)
    assert first == second != third
    assert first.endswith("it is switched off")
    assert third.endswith("the reader is switched off")
    assert [each["line"] for each in told] == [67, 68, 69]
    written = [
        (tmp_path / "out" / f"oscam.{name}").read_text() for name in ("user", "server", "services")
    ]
    assert [text.count(word) for text, word in zip(written, _OFF, strict=True)] == [2, 1, 64]


_OFF = ("disabled = 1", "enable = 0", "[deny_")


def test_names_of_channels_go_there_and_come_back(tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.write_text(
        'FF01:102:1 "K\u00e4se | eins"\nFF01:103:1 "K\u00e4se | eins"\nFF02:0:1 "Two"\n0:0:2 "No"\n'
        'FF01:0:7777 "Three"\nFF01:102:7777 "Three"\n',
        encoding="utf-8",
    )
    wrong, told = judged(tmp_path, f"{ALL_SAID}CHANNELINFO FILE : {names}\n")
    assert (wrong, told) == ([], [])
    assert (tmp_path / "out" / "oscam.srvid2").read_text(encoding="utf-8") == (
        "0001:FF01@000102@000103|K\u00e4se / eins|||\n0001:FF02|Two|||\n7777:FF01|Three|||\n"
    )
    back = ["import", "oscam", str(tmp_path / "out"), "--out", str(tmp_path / "back")]
    assert CliRunner().invoke(command_line(back), back).exit_code == 0
    assert (tmp_path / "back" / "CCcam.channelinfo").read_text(encoding="utf-8").splitlines() == [
        *('FF01:000102:0001 "K\u00e4se / eins"', 'FF01:000103:0001 "K\u00e4se / eins"'),
        *('FF02:0:0001 "Two"', 'FF01:0:7777 "Three"'),
    ]


def test_names_of_providers_and_priorities_go_there_and_come_back(tmp_path: Path) -> None:
    """Of a key nobody knows which digits are the CAID's: both readings come back as that key."""
    names, prio = tmp_path / "names", tmp_path / "prio"
    names.write_text('18335411 "Nagra | eins"\n01000068 "Seca"\n00000001 "No CAID"\n')
    prio.write_text("I: 0500:022C00\nP: 1833:0:1D80\nI: 0B00\nP: FF02\nP: FF01:102:2,FF02\n")
    files = f"PROVIDERINFO FILE : {names}\nCAID PRIO FILE : {prio}\n"
    wrong, told = judged(tmp_path, f"{ALL_SAID}{files}")
    assert (wrong, [each["key"] for each in told]) == ([], ["CAID PRIO FILE"])
    out = tmp_path / "out"
    assert (out / "oscam.provid").read_text() == (
        "1833:005411|Nagra / eins|||\n1800:335411|Nagra / eins|||\n0100:000068|Seca|||\n"
    )
    assert (out / "oscam.dvbapi").read_text() == (
        "I: 0500:022C00\nI: 0B00\nP: 1833:000000:1D80\nP: FF02\nP: FF01:000102:0002\n"
        "P: FF02:000000:0002\n"
    )
    back = ["import", "oscam", str(out), "--out", str(tmp_path / "back")]
    assert CliRunner().invoke(command_line(back), back).exit_code == 0
    again = tmp_path / "back"
    assert (again / "CCcam.providers").read_text() == '18335411 "Nagra / eins"\n01000068 "Seca"\n'
    assert set((again / "CCcam.prio").read_text().splitlines()) == {
        *("I: 0500:022C00", "I: 0B00", "P: 1833:000000:1D80", "P: FF02"),
        *("P: FF01:000102:0002", "P: FF02:000000:0002"),
    }
