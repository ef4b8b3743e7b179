"""Each key of OSCam's files is carried over, or reported with its line, or says nothing here."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from test_oscam_import import config_of, toml_of

from cccamd.setup.oscam import Imported, import_folder

DATA = Path(__file__).parent.parent / "data" / "oscam" / "keys.txt"
CONF, USER, SERVER = "oscam.conf", "oscam.user", "oscam.server"
BASE = {
    "global": "",
    "webif": "httpport = 8081\n",
    "cccam": "port = 12000\nreshare = 5\n",
    "account": "user = anna\npwd = secret\ngroup = 1\n",
    "reader": "label = r\nprotocol = cccam\ndevice = h.example,12000\nuser = u\npassword = p\n"
    "group = 1\n",
}
SERVICES = "[news]\ncaid = FF01\nprovid = 000102\nsrvid = 0001\n"
OTHER = "[reader]\nlabel = other\nprotocol = newcamd\ndevice = i.example,15000\nuser = u\n"
OTHER += "password = p\ngroup = 3\n"


def cases() -> Iterator[tuple[str, str, str, str]]:
    section = ""
    for line in DATA.read_text().splitlines():
        if line.startswith("["):
            section = line[1:-1]
        elif line and not line.startswith("#"):
            key, value, mark = (each.strip() for each in line.split("|"))
            yield section, key, value, mark


def folder(section: str, extra: str) -> dict[str, bytes]:
    """A small house, with something more in one section."""
    sections = {**BASE, section: BASE.get(section, "") + extra}
    files = {CONF: "", USER: "", SERVER: OTHER, "oscam.services": SERVICES}
    for name, text in sections.items():
        file = {"account": USER, "reader": SERVER}.get(name, CONF)
        files[file] = f"[{name}]\n{text}{files[file]}"
    return {name: text.encode() for name, text in files.items()}


def bring(files: dict[str, bytes]) -> Imported:
    return import_folder(files, lambda _: None, out="/out")


@pytest.mark.parametrize(("section", "key", "value", "mark"), list(cases()))
def test_a_key_is_carried_over_or_reported(section: str, key: str, value: str, mark: str) -> None:
    without, found = bring(folder(section, "")), bring(folder(section, f"{key} = {value}\n"))
    assert not without.lost
    told = [each for each in found.lost if each.key in (key, "") or each.section == section]
    changed = found.written != without.written
    if mark == "R":
        assert told
        assert all(each.file and each.line and each.why for each in told)
        secret = value in ("00112233", "11223344", "1234")
        assert not (secret and value in str(found.lost))
    elif mark == "-":
        assert not found.lost
        assert not changed
    else:
        assert told or changed


BYTES = st.binary(max_size=200)
PIECES = st.sampled_from(
    [
        *(f"[{section}]".encode() for section, *_ in cases()),
        *(f"{key} = {value}".encode() for _, key, value, _ in cases()),
        b"\xef\xbb\xbf",
        b"\r\n",
        b"\n",
        b"\r",
        b"\t",
        b" ",
        b" = ",
        b" # remark",
        b"\\\n",
        b"include = x",
        b"!include x",
        b"user = \xe4\xf6\xfc",
        b"pwd = \xc3\xa4",
        b"a" * 20_000,
        b"\0",
        b"label = r",
        b"protocol = constcw",
        b"device = x",
        b"FF01:000102:0001:0:0::11 22 33 66 44 55 66 FF 11 22 33 66 44 55 66 FF",
        b"P: FF01:000102:0001",
        b"FF01:0001|a|b|c|d",
        b"99999999999999999999999999",
        b"-1",
    ]
)
FILE = st.lists(PIECES | BYTES, max_size=30).map(b"".join) | st.lists(PIECES, max_size=30).map(
    b"\n".join
)
NAMES = ("oscam.conf", "oscam.user", "oscam.server", "oscam.services", "oscam.srvid")
NAMES += ("oscam.srvid2", "oscam.provid", "oscam.dvbapi", "oscam.whitelist", "oscam.ratelimit")


@given(st.dictionaries(st.sampled_from(NAMES), FILE), FILE)
@example({"oscam.user": b"[account]\nuser = a\npwd = b\nexpdate = 9999-12-31\n"}, b"")
@example({"oscam.conf": b"\xff\xfe[\0g\0"}, b"")
def test_no_file_is_too_odd(files: dict[str, bytes], named: bytes) -> None:
    found = import_folder(files, lambda _: named, out="/out")
    assert all(each.why for each in found.lost)
    config_of(found)
    toml_of(found)
