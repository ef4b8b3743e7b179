"""`cccamd import oscam`: what the folders mean, as OSCam reads them (docs/moving-from-oscam.md)."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.localcards import find_kinds
from cccamd.setup.cccamcfg import Config, parse, parse_channelinfo, parse_prio, parse_providers
from cccamd.setup.oscam import Imported, import_folder
from cccamd.setup.toml import parse as parse_toml

DATA = Path(__file__).parents[1] / "data" / "oscam"
LOCAL = "[reader]\nlabel = c\nprotocol = cccam\ndevice = h.example,12000\nuser = u\npassword = p\n"
READER = f"{LOCAL}group = 1\n"
USER = "[account]\nuser = anna\npwd = secret\ngroup = 1\n"


def imported(**files: str | bytes) -> Imported:
    """`user`, `server`, ... are the files oscam.user, oscam.server, ..."""
    found = {
        f"oscam.{name}": text if isinstance(text, bytes) else text.encode()
        for name, text in files.items()
    }
    return import_folder(found, lambda name: found.get(f"oscam.{name}"), out="/out")


def config_of(result: Imported) -> Config:
    parsed = parse(result.written.cccam_cfg)
    assert not parsed.refused
    assert not [each for each in parsed.diagnostics if each.code.value.startswith("E")]
    return parsed.config


def toml_of(result: Imported) -> dict:  # type: ignore[type-arg]
    text = (result.written.cccamd_toml or b"").decode()
    checked = parse_toml(text, kinds=find_kinds(), folder=Path())
    assert [str(each) for each in checked.problems] == []
    return tomllib.loads(text)


def account(lines: str, **files: str) -> tuple[str, dict, list[str]]:  # type: ignore[type-arg]
    """The F-line, the `[[account]]` and the keys that are lost of an account with these lines."""
    files = {"server": READER} | files
    result = imported(user=USER + lines, **files)
    config_of(result)
    text = result.written.cccam_cfg.decode()
    f_lines = [line for line in text.splitlines() if line.startswith("F:")]
    tables = toml_of(result).get("account", [])
    return (f_lines or [""])[0], (tables or [{}])[0], [each.key for each in result.lost]


@pytest.mark.parametrize(
    ("lines", "f_line", "table", "lost"),
    [
        ("", "F: anna secret 10 0 0", {}, []),
        ("au = 1", "F: anna secret 10 0 1", {}, []),
        ("CCCMaxHops = 3", "F: anna secret 3 0 0", {}, []),
        ("cccmaxhops = -1", "F: anna secret 0 0 0 { 0:0:0 }", {}, []),
        ("cccmaxhops = -2", "", {}, ["cccmaxhops"]),
        ("cccreshare = 0", "F: anna secret 10 0 0 { 0:0:1 }", {}, []),
        ("cccreshare = 12", "F: anna secret 10 0 0", {}, []),
        ("caid = FF01", "F: anna secret 10 0 0 { 0:0:0, FF01:0:10 }", {}, []),
        ("caid = FF01 # all", "F: anna secret 10 0 0", {}, ["caid"]),
        (
            "caid = FF01:FF02",
            "F: anna secret 10 0 0 { 0:0:0, FF01:0:10 }",
            {},
            ["caid"],
        ),
        (
            "caid = FF00&FFFE",
            "F: anna secret 10 0 0 { 0:0:0, FF00:0:10, FF01:0:10 }",
            {},
            [],
        ),
        ("caid = FF01&0F0F", "F: anna secret 10 0 0 { 0:0:0 }", {}, ["caid"]),
        ("caid = 0000&0000", "F: anna secret 10 0 0 { 0:0:0 }", {}, ["caid"]),
        (
            "ident = FF01:000102;FF02:000103\ncaid = FF01\ncccreshare = 1",
            "F: anna secret 10 0 0 { 0:0:0, FF01:000102:2 }",
            {},
            [],
        ),
        (
            "ident = FF01:000000",
            "F: anna secret 10 0 0 { 0:0:0, FF01:0:10 }",
            {"idents": ["FF01:000000"]},
            [],
        ),
        ("hostname = h.example", "F: anna secret 10 0 0 { } { } { } h.example", {}, []),
        ("hostname = http://x/", "", {}, ["hostname"]),
        (
            "allowedtimeframe = 18:00-23:30",
            "F: anna secret 10 0 0 { } { } { 18:00-23:30 }",
            {},
            [],
        ),
        (
            "allowedtimeframe = SAT@10:00-12:00;ALL@18:00-19:00",
            "F: anna secret 10 0 0",
            {"times": {"ALL": ["18:00-19:00"], "SAT": ["10:00-12:00"]}},
            [],
        ),
        ("allowedtimeframe = whenever", "", {}, ["allowedtimeframe"]),
        ("expdate = 2031/02/30", "F: anna secret 10 0 0", {"expires": "2031-03-02"}, []),
        ("expdate = 31.12.2031", "", {}, ["expdate"]),
        ("disabled = 1", "F: anna secret 10 0 0", {"enabled": False}, []),
        (
            "allowedprotocols = cccam, newcamd",
            "F: anna secret 10 0 0",
            {"protocols": ["cccam"]},
            ["allowedprotocols"],
        ),
        ("allowedprotocols = camd35", "", {}, ["allowedprotocols"]),
        ("pwd = two words", "", {"password": "two words"}, []),
        ("pwd =", "", {}, ["pwd"]),
        ("au = nobody", "F: anna secret 10 0 0", {}, ["au"]),
        ("au = c", "F: anna secret 10 0 1", {"emm_to": ["c"]}, []),
        ("group = 2", "F: anna secret 10 0 0", {"groups": [2]}, []),
        ("group =", "F: anna secret 10 0 0", {"groups": []}, []),
        ("cccstealth = 1\ncacheex = 2", "F: anna secret 10 0 0", {}, ["cccstealth", "cacheex"]),
        ("keepalive = 1\nmonlevel = 2\nnumusers = 0", "F: anna secret 10 0 0", {}, []),
        ("frobnicate = 1\nAU : 1", "F: anna secret 10 0 0", {}, ["frobnicate", "au"]),
        ("\tau = 1", "F: anna secret 10 0 0", {}, ["?au"]),
        ("; au = 1\n# au = 1\n//x = 1", "F: anna secret 10 0 0", {}, []),
    ],
)
def test_what_becomes_of_an_account(
    lines: str, f_line: str, table: dict[str, object], lost: list[str]
) -> None:
    found_line, found_table, found_lost = account(lines)
    assert found_line == f_line
    shown = {key: each for key, each in found_table.items() if key in table}
    assert {key: str(each) if key == "expires" else each for key, each in shown.items()} == table
    assert found_lost == lost


def test_connections_are_counted_where_oscam_counts_them() -> None:
    text = f"{USER}uniq = 1\nmax_connections = 2\n[account]\nuser = ben\npwd = b\ngroup = 1\n"
    toml = toml_of(imported(user=text, server=READER))
    assert toml["limits"]["logins_per_account"] == 1000, "OSCam does not count ben's"
    assert toml["account"] == [{"user": "anna", "max_connections": 2}]


@pytest.mark.parametrize(
    ("sections", "names", "f_line", "wanted"),
    [
        (
            "[late]\ncaid = FF01\nprovid = 000102\nsrvid = 1D80,1D81\n",
            "!late",
            "F: anna secret 10 0 0 { } { FF01:000102:1D80, FF01:000102:1D81 }",
            None,
        ),
        (
            "[Late]\ncaid = FF01\nprovid = 000102\n",
            "!LATE",
            "F: anna secret 10 0 0 { FF01:000102:0 }",
            None,
        ),
        ("[late]\nsrvid = 1D80\n", "!late", "F: anna secret 10 0 0", ["!late"]),
        ("[news]\ncaid = FF01\n", "news", "F: anna secret 10 0 0", ["news"]),
        ("[news]\ncaid = FF01\n", "typo", "F: anna secret 10 0 0", None),
    ],
)
def test_what_becomes_of_services(
    sections: str, names: str, f_line: str, wanted: list[str] | None
) -> None:
    found, table, lost = account(f"services = {names}", services=sections)
    assert found == f_line
    assert table.get("services") == wanted
    assert lost == (["services"] if names == "typo" else [])


@pytest.mark.parametrize(
    ("lines", "line", "lost"),
    [
        ("cccmaxhops = 2", "C: h.example 12000 u p no { 0:0:3 }", []),
        ("cccwantemu = 1", "C: h.example 12000 u p yes", []),
        ("ident = FF01:000102", "C: h.example 12000 u p no { 0:0:0, FF01:000102:10 }", []),
        ("device = h.example:12000", "", ["device"]),
        ("device = 2001:db8::7 , 12001, 5", "C: 2001:db8::7 12001 u p", []),
        ("protocol = CCcam", "", ["protocol"]),
        ("protocol = emu", "", ["protocol"]),
        ("protocol = mouse\nboxkey = 1122", "", ["protocol"]),
        ("protocol = camd35", "", ["protocol"]),
        ("enable = 0", "", ["enable"]),
        ("protocol = newcamd\nkey = 01 02", "", ["key"]),
        (
            "protocol = newcamd\nkey = 0102030405060708091011121314\nccchop = 2",
            "N: h.example 12000 u p 0102030405060708091011121314 2",
            [],
        ),
        ("cccversion = 2.3.0", "C: h.example 12000 u p", []),
        ("cccversion = 2.2.1-3316", "C: h.example 12000 u p", ["cccversion"]),
        ("boxid = 1122\nmhz = 600", "C: h.example 12000 u p", ["boxid", "mhz"]),
        ("ccckeepalive = 1\nlb_weight = 200", "C: h.example 12000 u p", []),
        ("blockemm-u = 1\nblockemm-s = 0", "C: h.example 12000 u p", ["blockemm-u"]),
        ("blockemm-bylen = 1-2", "C: h.example 12000 u p", ["blockemm-bylen"]),
    ],
)
def test_what_becomes_of_a_reader(lines: str, line: str, lost: list[str]) -> None:
    result = imported(server=READER + lines, user=USER)
    config_of(result)
    toml_of(result)
    text = result.written.cccam_cfg.decode().splitlines()
    assert [each for each in text if each[:2] in ("C:", "N:")] == ([line] if line else [])
    assert [each.key for each in result.lost] == lost


SECOND = READER.replace("h.example", "i.example").replace("label = c", "label = d")
ALL_EMMS = "blockemm-u = 1\nblockemm-s = 1\nblockemm-g = 1\nblockemm-unknown = 1\n"


def test_what_readers_block_of_emms_counts_for_one_or_for_all() -> None:
    result = imported(server=READER + ALL_EMMS + SECOND, user=USER)
    (table,) = toml_of(result)["upstream"]
    assert (table["host"], table["emm"]) == ("h.example", False)
    assert not result.lost
    result = imported(server=f"{READER}blockemm-g = 1\n{SECOND}blockemm-g = 1\n", user=USER)
    assert config_of(result).settings.global_emm == 0
    assert not result.lost
    result = imported(server=f"{READER}blockemm-g = 1\n{SECOND}", user=USER)
    assert config_of(result).settings.global_emm == 2
    assert [each.key for each in result.lost] == ["blockemm-g"]


def test_each_reader_has_the_least_reshare_that_it_takes() -> None:
    result = imported(server=f"{READER}cccmindown = 2\n{SECOND}", user=USER)
    assert not result.lost
    (table,) = toml_of(result)["upstream"]
    assert (table["host"], table["minimum_downhops"]) == ("h.example", 2)


@pytest.mark.parametrize("lines", ["caid = FF01&0F0F", "caid = FF01\nident = FF02:000102"])
def test_a_newcamd_reader_that_lets_nothing_pass_is_not_opened(lines: str) -> None:
    newcamd = READER.replace("protocol = cccam", "protocol = newcamd")
    (table,) = toml_of(imported(server=newcamd + lines, user=USER))["upstream"]
    assert table["groups"] == []


CONSTANTS = "".join(
    f"FF01:000102:{sid}:0:0::11 22 33 66 44 55 66 FF 11 22 33 66 44 55 66 FF\n"
    for sid in ("0001", "0002", "0003")
)


@pytest.mark.parametrize(
    ("services", "sids"),
    [
        ("a", ["0001"]),
        ("!a", ["0002", "0003"]),
        ("a,b", ["0001", "0002"]),
        ("a,b,!b", ["0001"]),
        ("other", []),
        ("typo", ["0001", "0002", "0003"]),
    ],
)
def test_lists_of_services_count_for_a_card_of_fixed_control_words(
    services: str, sids: list[str]
) -> None:
    lists = "[a]\nsrvid = 0001\n[b]\nprovid = 000102\nsrvid = 0002\n[other]\ncaid = FF02\n"
    reader = f"[reader]\nlabel = k\nprotocol = constcw\ndevice = words\nservices = {services}\n"
    result = imported(server=reader, services=lists, words=CONSTANTS)
    cards = toml_of(result).get("card", [])
    assert [sid for card in cards for sid in card["services"]] == sids
    assert [each.key for each in result.lost] == (["services"] if services == "typo" else [])


def test_a_second_reader_of_a_label_is_a_link_all_the_same() -> None:
    result = imported(server=READER + READER.replace("h.example", "i.example") + READER, user=USER)
    assert [each.host for each in config_of(result).c_lines] == ["h.example", "i.example"]
    assert {(each.line, each.key) for each in result.lost} == {(9, "label"), (16, "label")}


def test_ports_are_those_that_oscam_opened() -> None:
    """Absence has to be written out: CCcam's defaults differ."""
    config = config_of(imported(conf="[global]\n"))
    assert config.server_listen_port == 0
    assert not config.webinfo.listens
    assert not config.telnetinfo.listens
    assert config_of(imported(user=USER)).webinfo.port == 8888, "as without any oscam.conf"
    result = imported(conf="[cccam]\nport = 13000,13001\n[Webif]\nhttpport = 1\n")
    assert config_of(result).server_listen_port == 13000
    assert [(each.line, each.section) for each in result.lost] == [(2, "cccam"), (3, "Webif")]


def test_a_newcamd_port_without_a_caid_is_one_only_where_it_is_alone() -> None:
    """Beside others OSCam takes it for nothing: here it must not give every card."""
    for ports, opened, told in (
        ("15000", [15000], []),
        ("15000;", [15000], []),
        ("15000@FF01:000102;15001", [15000], ["port"]),
        ("15000;15001{" + "01" * 14 + "};15002@FF01", [15002], ["port"]),
    ):
        result = imported(conf=f"[newcamd]\nport = {ports}\nmgclient = 1\n", user=USER)
        assert [table["port"] for table in toml_of(result)["newcamd"]] == opened
        assert [each.key for each in result.lost] == told


def test_a_range_of_groups_is_its_first_and_is_told() -> None:
    user = USER.replace("group = 1\n", "group = 2-4,7 x,9,65\n")
    result = imported(user=user, server=READER)
    assert toml_of(result)["account"][0]["groups"] == [2, 7, 9]
    assert [each.key for each in result.lost] == ["group"]


def test_what_stands_twice_counts_as_in_oscam_and_is_said() -> None:
    twice = "# a = 1\n# a = 2\npwd = other\npwd = secret\nPWD = secret\n"
    result = imported(user=f"{USER}{twice}", server=READER)
    assert result.lost == ()
    assert result.notes == ("oscam.user:7: pwd stands again in line 9, which counts, as in OSCam",)


@pytest.mark.parametrize(
    ("login", "settings", "lost"),
    [
        ("httpuser = a\nhttppwd = b", ("a", "b"), []),
        ("httppwd = b", ("", ""), ["httppwd"]),
        ("httpuser = a", ("a", ""), ["httpuser"]),
    ],
)
def test_half_a_login_of_the_pages_is_told(
    login: str, settings: tuple[str, str], lost: list[str]
) -> None:
    result = imported(conf=f"[webif]\nhttpport = 8888\n{login}\n", user=USER, server=READER)
    info = config_of(result).webinfo
    assert (info.username or "", info.password or "") == settings
    assert [each.key for each in result.lost] == lost


@pytest.mark.parametrize(
    ("doors", "more", "lost"),
    [
        ("", "", []),
        ("[newcamd]\nport = 15000\n", "", ["user"]),
        ("[newcamd]\nport = 15000\n", "allowedprotocols = cccam\n", []),
    ],
)
def test_a_long_name_is_cut_for_newcamd_clients_and_that_is_told(
    doors: str, more: str, lost: list[str]
) -> None:
    """OSCam compares 20 bytes of it where CCcam clients log in, and all of it at newcamd."""
    user = USER.replace("anna", "someone_with_a_long_name")
    result = imported(conf=f"[cccam]\nport = 12000\n{doors}", user=user + more, server=READER)
    assert [each.user for each in config_of(result).f_lines] == ["someone_with_a_long_"]
    assert [each.key for each in result.lost] == lost


def test_bytes_stay_what_they_are() -> None:
    text = USER.replace("secret", "K\u00e4se").encode("latin-1")
    text += "[account]\nuser = ben\npwd = K\u00e4se\ngroup = 1\n".encode()
    config = config_of(imported(user=text, server=READER))
    assert [each.password_bytes() for each in config.f_lines] == [b"K\xe4se", b"K\xc3\xa4se"]


def test_a_bom_costs_no_account_and_is_told() -> None:
    result = imported(user=b"\xef\xbb\xbf" + USER.replace("\n", "\r\n").encode(), server=READER)
    assert [each.user for each in config_of(result).f_lines] == ["anna"]
    assert result.lost == ()
    assert "byte order mark" in result.notes[0]


def test_the_names_of_the_companion_files() -> None:
    result = imported(
        user=USER,
        server=READER,
        srvid="FF01,FF02@000102:1D80|House|News|TV|\n",
        provid="FF01@000102@000103|House\nFF02|No provider|\nFF02:000001|Other|13E|\n",
        dvbapi="P: FF01:000102\nI: FF02\nM: 0500 0600\n",
    )
    channels = parse_channelinfo(result.written.channelinfo or b"")
    assert channels.names == {(0xFF01, 0, 0x1D80): "News", (0xFF02, 0x102, 0x1D80): "News"}
    providers = parse_providers(result.written.providers or b"")
    assert list(providers.names.values()) == ["House", "House", "Other"]
    prio = parse_prio(result.written.prio or b"")
    assert len(prio.orders) == 1
    assert len(prio.ignored) == 1
    assert [(each.file, each.line) for each in result.lost] == [("oscam.dvbapi", 3)]
    assert imported(user=USER, srvid="FF01:1D80|a|b|\n", srvid2="").written.channelinfo is None


SECRETS = ("bunk bed", "roof#7", "pass-a", "s3cret", "0011223344556677", "AA BB CC", "aabbcc31")


@pytest.mark.parametrize("name", ["house", "club"])
def test_real_folders_give_files_that_the_server_takes(name: str) -> None:
    files = {path.name: path.read_bytes() for path in (DATA / name).iterdir()}
    result = import_folder(files, lambda path: files.get(path.rpartition("/")[2]), out="/out")
    config = config_of(result)
    toml = toml_of(result)
    assert (
        len(config.f_lines) + sum("password" in each for each in toml["account"])
        == {
            "house": 3,
            "club": 5,
        }[name]
    )
    told = " ".join(map(str, (*result.lost, *result.notes)))
    assert not [secret for secret in SECRETS if secret in told]
    assert list(result.lost) == sorted(result.lost, key=lambda each: (each.file, each.line))


WORDS = (
    "user pwd group caid ident services au hostname expdate cccmaxhops cccreshare label protocol"
    " device password key port nodeid version httpport clienttimeout fallback uniq"
)
KEYS = st.sampled_from(WORDS.split())
VALUES = st.text("0123456789abcdefFF01:,;@!&-. #{}=\t\xe4", max_size=20) | st.sampled_from(
    ["cccam", "newcamd", "constcw", "h.example,12000", "1", "FF01:000102", "0" * 28]
)
LINES = st.lists(
    st.one_of(
        st.sampled_from(["[account]", "[reader]", "[cccam]", "[global]", "[news]"]),
        st.builds("{} = {}".format, KEYS, VALUES),
        st.text(max_size=10),
    ),
    max_size=25,
)


@given(st.tuples(LINES, LINES, LINES, LINES))
def test_any_folder_gives_files_without_faults(files: tuple[list[str], ...]) -> None:
    texts = ["\n".join(lines).encode("utf-8", "surrogatepass") for lines in files]
    names = ("conf", "user", "server", "services")
    result = imported(**dict(zip(names, texts, strict=True)))
    config_of(result)
    toml_of(result)


def test_a_reader_keeps_the_version_that_it_names_whatever_the_server_announces() -> None:
    conf = "[cccam]\nversion = 2.1.4\n"
    same = READER.replace("h.example", "i.example").replace("label = c", "label = d")
    server = f"{READER}cccversion = 2.3.0\n{same}cccversion = 2.1.4\n"
    tables = toml_of(imported(conf=conf, server=server))
    assert tables["server"] == {"cccversion": "2.1.4"}
    assert [each.get("cccversion") for each in tables["upstream"]] == ["2.3.0"]


def test_a_reader_that_gets_another_label_and_is_then_left_out_is_told_so() -> None:
    (lost,) = imported(server=f"{READER}{READER}").lost
    assert "the reader gets another" in lost.why
    assert lost.why.endswith("host, port and user are those of c, which counts")


def test_names_in_a_report_are_those_that_an_editor_shows() -> None:
    result = imported(user=f"{USER}f\u00fcr = 1\n[\u00e4]\n".encode())
    assert [(each.section, each.key) for each in result.lost] == [
        ("account", "f\u00fcr"),
        ("\u00e4", ""),
    ]


def test_each_further_reader_of_a_label_gets_a_number_of_its_own() -> None:
    servers = [READER.replace("h.example", f"{name}.example") for name in "abcd"]
    taken = READER.replace("label = c", "label = c_3").replace("h.example", "e.example")
    result = imported(server="".join([servers[0], taken, *servers[1:]]))
    text = result.written.cccam_cfg.decode()
    labels = [line for line in text.splitlines()[1:] if line.startswith("# ")]
    assert labels == ["# c", "# c_3", "# c_2", "# c_4", "# c_5"]


def test_a_link_that_stands_twice_is_written_once() -> None:
    result = imported(server=READER + READER.replace("label = c", "label = d"))
    assert result.written.cccam_cfg.decode().count("\nC: ") == 1


def test_one_login_of_two_protocols_is_one_link_as_its_table_would_be_of_both() -> None:
    newcamd = READER.replace("= cccam", "= newcamd").replace("= c\n", "= n\n")
    result = imported(server=f"{READER}{newcamd}group = 2\n", user=f"{USER}group = 1,3\n")
    assert [type(each).__name__ for each in config_of(result).upstream_lines] == ["CLine"]
    assert [each["name"] for each in toml_of(result)["upstream"]] == ["c"]
    assert [(each.key, each.line) for each in result.lost] == [("label", 9)]


def test_fallbacks_are_asked_after_those_of_their_groups_only() -> None:
    def reader(name: str, groups: str, more: str = "") -> str:
        named = LOCAL.replace("h.example", f"{name}.example").replace(
            "label = c", f"label = {name}"
        )
        return f"{named}group = {groups}\n{more}"

    server = reader("a", "1") + reader("b", "1", "fallback = 1\n") + reader("d", "2")
    tables = toml_of(imported(server=server))["upstream"]
    found = {each["host"]: (each.get("group"), each.get("rank", 1)) for each in tables}
    assert found["a.example"] == ("group-1", 1)
    assert found["b.example"] == ("group-1", 2)
    assert found["d.example"][0] is None
    result = imported(server=server + reader("e", "1,2"))
    assert [each.key for each in result.lost] == ["fallback"]
    assert all("rank" not in each for each in toml_of(result)["upstream"])


@pytest.mark.parametrize("header", ["[account] # ben", "[account", "\t[account]", "[ account"])
def test_a_spoilt_header_is_told_as_what_stands_below_goes_to_the_one_above(header: str) -> None:
    result = imported(user=f"{USER}{header}\nuser = ben\n", server=READER)
    assert [each.user for each in config_of(result).f_lines] == ["ben"], "as in OSCam"
    ((line, section, why),) = [(each.line, each.section, each.why) for each in result.lost]
    assert (line, section) == (5, "account")
    assert why.endswith("counts for the section above; OSCam ignores it, too")


@pytest.mark.parametrize(
    ("line", "key"), [("au 1", "au"), ("AU\t: 1", "au"), ("FF01:000103,000104", ""), ("more\\", "")]
)
def test_a_line_that_sets_nothing_is_told_without_its_words(line: str, key: str) -> None:
    (lost,) = imported(user=f"{USER}{line}\n", server=READER).lost
    assert (lost.file, lost.line, lost.key) == ("oscam.user", 5, key)
    assert "FF01" not in str(lost) + str(lost.as_json())
    assert "more" not in str(lost)


def test_rulers_and_remarks_are_no_loss() -> None:
    rulers = "----------\n; text\n// text\n# text\n  ***\n"
    assert imported(user=USER + rulers, server=READER + rulers).lost == ()


WHO_MAY = "[webif]\nhttpport = 8888\nhttpallowed = "


@pytest.mark.parametrize(
    ("addresses", "is_lost"),
    [
        ("127.0.0.1,192.168.0.0-192.168.255.255", False),
        ("::1, 192.168.0.0-192.168.255.255 ,127.0.0.1", False),
        ("10.0.0.0-10.255.255.255,172.16.0.0-172.31.255.255,192.168.0.0-192.168.255.255", False),
        ("192.168.7.0-192.168.7.255", True),
        ("127.0.0.1", True),
        ("192.168.0.0-192.168.255.255,router", True),
        ("0.0.0.0-255.255.255.255", True),
    ],
)
def test_who_may_see_the_pages_is_told_where_it_is_not_the_same_here(
    addresses: str, is_lost: bool
) -> None:
    lost = imported(conf=f"{WHO_MAY}{addresses}\n", user=USER, server=READER).lost
    assert [each.key for each in lost] == ["httpallowed"] * is_lost


def test_pages_that_follow_the_address_of_cccam_are_told() -> None:
    """They listen where CCcam does, which was not so there unless both had one address."""
    own, of_all = "[cccam]\nserverip = 192.0.2.1\n", "[global]\nserverip = 192.0.2.{}\n"
    pages = "[webif]\nhttpport = 8888\n"
    for conf, lost in (
        (own + pages, ["serverip"]),
        (own, []),
        (of_all.format(1) + own + pages, []),
        (of_all.format(2) + own + pages, ["serverip"]),
        (of_all.format(2) + pages, []),
        (own + pages + "serverip = 192.0.2.1\n", []),
        (own + pages + "serverip = 192.0.2.2\n", ["serverip"]),
    ):
        assert [each.key for each in imported(conf=conf, user=USER, server=READER).lost] == lost
