"""A folder of OSCam and the files that cccamd makes of it mean the same, or it is told."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oscam_meaning import Folder, OscamFolder
from oscam_results import differences, meaning_of
from typer.testing import CliRunner

from cccamd.cli import command_line
from cccamd.setup.setup import load_setup

DATA = Path(__file__).parents[1] / "data" / "oscam"


def folders() -> dict[str, dict[str, bytes]]:
    """The folders of folders.txt."""
    found: dict[str, dict[str, bytes]] = {}
    for part in re.split(r"^##### ", (DATA / "folders.txt").read_text(), flags=re.MULTILINE)[1:]:
        name, _, rest = part.partition("\n")
        files = re.split(r"^=== ", rest, flags=re.MULTILINE)[1:]
        found[name] = {
            title: text.encode() for title, _, text in (each.partition("\n") for each in files)
        }
    return found


FOLDERS = folders()


def moved(folder: Folder, place: Path) -> list[str]:
    """Import a folder by the command, and say what is not as it was."""
    source, out = place / "oscam", place / "out"
    source.mkdir()
    for name, data in folder.items():
        (source / name).write_bytes(data)
    words = ["import", "oscam", str(source), "--out", str(out), "--json"]
    done = CliRunner().invoke(command_line(words), words)
    (place / "told.json").write_text(done.stdout)
    (title,) = told = json.loads(done.stdout)
    assert title == "lost"
    assert done.exit_code == (3 if told["lost"] else 0)
    for each in told["lost"]:
        assert list(each) == ["file", "section", "key", "line", "why"]
    after = load_setup(out / "CCcam.cfg", None)
    assert not after.refused
    before = OscamFolder(folder)
    places = {(each["file"], each["line"]) for each in told["lost"]}
    return list(differences(before.meaning(), meaning_of(after, before.probes), places))


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_means_what_it_meant(name: str, tmp_path: Path) -> None:
    assert moved(FOLDERS[name], tmp_path) == []


def dos(text: bytes) -> bytes:
    """As an editor of another system writes it."""
    return b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")


def tight(text: bytes) -> bytes:
    """Without any blank around the sign, and without a line end at the end."""
    return re.sub(rb" *= *", b"=", text).rstrip(b"\n")


def tabbed(text: bytes) -> bytes:
    """With blanks and tabs where OSCam drops them."""
    return re.sub(rb"^(\w+) *= *(.*)$", rb" \t\1\t = \t\2 \t", text, flags=re.MULTILINE)


def loud(text: bytes) -> bytes:
    """With keys in capital letters, which OSCam takes in all files."""
    return re.sub(rb"^\w+ *=", lambda found: found[0].upper(), text, flags=re.MULTILINE)


def latin(text: bytes) -> bytes:
    """With names and passwords of one byte a letter."""
    return re.sub(rb"(?m)^((?:user|pwd|password) *= *)a", b"\\1\xe4", text)


def loosely(text: bytes) -> bytes:
    """With all that OSCam passes over."""
    return dos(tabbed(loud(text)))


def tightly(text: bytes) -> bytes:
    """With nothing that it does not need, and letters that are no UTF-8."""
    return tight(latin(text))


@pytest.mark.parametrize("write", [loosely, tightly])
def test_however_it_is_written(write: Callable[[bytes], bytes], tmp_path: Path) -> None:
    for name, files in FOLDERS.items():
        place = tmp_path / name
        place.mkdir()
        assert moved({title: write(text) for title, text in files.items()}, place) == [], name


CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "account": {
        "group": ("1", "2", "1,2", "1, 3", "", "0", "x,2"),
        "caid": ("FF01", "FF01,FF02", "ff02", "FF01:FF11", "FF00&FFFE", "0500 # old", "zz,FF01"),
        "ident": ("FF01:000102", "FF01:000102,000103;FF02:000001", "FF02:0", "FF01:xy;FF02:1"),
        "services": ("news", "!late", "news,!late", "!whole", "typo", "!typo", "any,!package"),
        "au": ("1", "0", "r1", "r2,r3", "nobody"),
        "hostname": ("anna.example", "192.0.2.7", "a b"),
        "expdate": ("2031-02-30", "2031/2/3", "0000-00-00", "soon"),
        "allowedtimeframe": ("18:00-23:30", "ALL@22:00-02:00", "MON@08:00-09:00", "SUN@1-2"),
        "allowedprotocols": ("cccam", "newcamd,cccam", "cccam, newcamd", "radegast", "dvbapi"),
        "cccmaxhops": ("0", "1", "3", "-1", "-2", "10", "11", "x"),
        "cccreshare": ("0", "1", "5", "-1", "10", "12"),
        "disabled": ("0", "1", "2"),
        "uniq": ("0", "1"),
        "max_connections": ("1", "4"),
        "keepalive": ("1",),
        "failban": ("0", "15"),
        "numusers": ("0", "2"),
    },
    "reader": {
        "group": ("1", "2", "1,2", "3", ""),
        "caid": ("FF01", "FF02,FF03", "FF00&FF00", "FF01:FF11"),
        "ident": ("FF01:000102", "FF01:000000", "FF02:000001;FF01:000103"),
        "services": ("news", "!late", "!whole", "typo"),
        "cccmaxhops": ("0", "1", "2", "10", "20"),
        "cccmindown": ("0", "1", "2"),
        "cccreshare": ("0", "1", "-1", "4"),
        "audisabled": ("0", "1"),
        "blockemm-g": ("0", "1"),
        "enable": ("0", "1", "1"),
        "protocol": ("cccam", "cccam", "cccam_ext", "newcamd", "newcamd524", "mouse", "Cccam"),
        "cacheex": ("0", "1"),
        "ccchop": ("0", "1", "2"),
        "lb_weight": ("100",),
    },
}
SERVICES = (
    b"[news]\ncaid = FF01\nprovid = 000102\nsrvid = 0001,0002\n[late]\nsrvid = 0002\n"
    b"[whole]\ncaid = FF02\n[package]\ncaid = FF01\nprovid = 000103\n[any]\nsrvid = 0001\n"
)
DES_KEY = "0102030405060708091011121314"
RESHARES = ("", "reshare = 0", "reshare = 2", "reshare = -1")


def some_of(section: str) -> st.SearchStrategy[dict[str, str]]:
    """Some keys of a section, with something behind them."""
    keys = {key: st.sampled_from(values) for key, values in CHOICES[section].items()}
    few = st.lists(st.sampled_from(sorted(keys)), max_size=5, unique=True)
    return few.flatmap(lambda names: st.fixed_dictionaries({name: keys[name] for name in names}))


def text_of(section: str, first: list[str], keys: dict[str, str]) -> str:
    """A section as it is written."""
    said = {"group": "1"} | keys
    return "\n".join([f"[{section}]", *first, *(f"{key} = {said[key]}" for key in said), ""])


READER = "[reader]\nlabel = {0}\nprotocol = cccam\ndevice = {0}.example,12000\nuser = u\n"
READER += "password = p\ngroup = 1\n{1}\n"


def account_of(name: str, *keys: str) -> str:
    return "\n".join([f"[account]\nuser = {name}\npwd = p\ngroup = 1", *keys, ""])


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("", {"oscam.user"}),
        (account_of("open", "cccreshare = 1"), {"oscam.user", "oscam.server"}),
    ],
)
def test_a_reshare_that_hides_all_hides_it_from_cccam_clients_alone(
    extra: str, told: set[str], tmp_path: Path
) -> None:
    """The spec calls it the byte that is sent with a card: newcamd and dvbapi have none."""
    users = [
        account_of("both"),
        account_of("cccam", "allowedprotocols = cccam"),
        account_of("newcamd", "allowedprotocols = newcamd"),
        account_of("tv", "allowedprotocols = dvbapi"),
        account_of("far", "cccmaxhops = -1"),
        extra,
    ]
    conf = "[cccam]\nport = 12000\nreshare = -1\n[newcamd]\nport = 15000\n"
    folder = {
        "oscam.conf": f"{conf}[dvbapi]\nenabled = 1\nlisten_port = 9000\nuser = tv\n".encode(),
        "oscam.user": "".join(users).encode(),
        "oscam.server": READER.format("r1", "").encode(),
    }
    assert moved(folder, tmp_path) == []
    setup = load_setup(tmp_path / "out" / "CCcam.cfg", None)
    spoken = {each.user: each.protocols for each in setup.config.f_lines}
    assert spoken["both"] == ("newcamd",)
    assert spoken["cccam"] == ("cccam",)
    lost = json.loads((tmp_path / "told.json").read_text())["lost"]
    assert {each["file"] for each in lost} == told
    assert all("CCcam clients" in each["why"] for each in lost)
    by_newcamd = meaning_of(setup, OscamFolder(folder).probes).elsewhere
    if not extra:
        assert by_newcamd.keys() == {b"both", b"newcamd", b"tv", b"far"}


def test_a_card_of_fixed_control_words_is_hidden_like_any_other(tmp_path: Path) -> None:
    words = "FF01:000102:0001:0:0::11 22 33 66 44 55 66 FF 11 22 33 66 44 55 66 FF\n"
    reader = "[reader]\nlabel = c\nprotocol = constcw\ndevice = constant.cw\ngroup = 1\n"
    folder = {
        "oscam.conf": b"[cccam]\nport = 12000\nreshare = -1\n",
        "oscam.user": account_of("far", "cccreshare = 3").encode(),
        "oscam.server": reader.encode(),
        "constant.cw": words.encode(),
    }
    moved(folder, tmp_path)
    (card,) = load_setup(tmp_path / "out" / "CCcam.cfg", None).toml.cards
    assert card.access.grant.groups == frozenset()


def test_without_another_door_a_hidden_card_is_hidden_and_nothing_is_lost(tmp_path: Path) -> None:
    folder = {
        "oscam.conf": b"[cccam]\nport = 12000\nreshare = -1\n",
        "oscam.user": account_of("both").encode(),
        "oscam.server": READER.format("r1", "").encode(),
    }
    assert moved(folder, tmp_path) == []
    assert json.loads((tmp_path / "told.json").read_text()) == {"lost": []}


@settings(max_examples=30, derandomize=True)
@given(
    st.lists(some_of("account"), min_size=1, max_size=3),
    st.lists(some_of("reader"), min_size=1, max_size=3),
    st.sampled_from(RESHARES),
    st.sampled_from(("", f"[newcamd]\nkey = {DES_KEY}\nport = 15000\n")),
)
def test_any_folder_means_what_it_meant(
    tmp_path_factory: pytest.TempPathFactory,
    accounts: list[dict[str, str]],
    readers: list[dict[str, str]],
    reshare: str,
    newcamd: str,
) -> None:
    users, servers = "", ""
    for number, keys in enumerate(accounts, start=1):
        users += text_of("account", [f"user = a{number}", f"pwd = p{number}"], keys)
    for number, keys in enumerate(readers, start=1):
        said = {"protocol": "cccam"} | keys
        first = [f"label = r{number}", f"device = r{number}.example,12000", "user = u"]
        first += ["password = p", f"key = {DES_KEY}"]
        servers += text_of("reader", first, said)
    folder = {
        "oscam.conf": f"[cccam]\nport = 12000\n{reshare}\n{newcamd}".encode(),
        "oscam.user": users.encode(),
        "oscam.server": servers.encode(),
        "oscam.services": SERVICES,
    }
    assert moved(folder, tmp_path_factory.mktemp("any")) == [], (
        f"{users}\n{servers}\n{reshare}\n{newcamd}"
    )
