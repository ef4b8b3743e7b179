"""`cccamd convert`: same meaning, comments and order, and nothing left to do the second time."""

import codecs
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cccamd.cli import command_line
from cccamd.setup.cccamcfg import Config, normalize, normalizing, parse


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("server listen port=12001 # mine", "SERVER LISTEN PORT : 12001 # mine"),
        ("INFO LISTEN PORT : 16009", "TELNETINFO LISTEN PORT : 16009"),
        ("ALLOW WEBINFO:on", "ALLOW WEBINFO : yes"),
        ("DEBUG : 0", "DEBUG : no"),
        ("f:  anna\tsecret", "F: anna secret 5 1 1"),
        ("F: a b { 0:0:1, }#x", "F: a b 5 1 1 { 0:0:1 } #x"),
        ("F: a b 1 0 0 { 0:0:2, 0500 }", "F: a b 1 0 0 { 0:0:2, 0500:0:0 }"),
        ("F: a b 0 1 {0,0,0,0,0,0,0,0}", "F: a b 0 0 1 { 0:0:2 }"),
        ("F: a b 1 0 0 {} {} {} 192.0.2.7", "F: a b 1 0 0 { } { } { } 192.0.2.7"),
        ("C:h.example 12000 u p", "C: h.example 12000 u p"),
        ("C: h.example 12000 u p { 0:0:1 }", "C: h.example 12000 u p no { 0:0:1 }"),
        (
            "N: h.example 15000 u p 0102030405060708091011121314",
            "N: h.example 15000 u p 01 02 03 04 05 06 07 08 09 10 11 12 13 14 1",
        ),
        ("F: a b x y", "F: a b x y"),
        ("  # only a remark", "  # only a remark"),
        ("ZAP OSD TIME:5", "ZAP OSD TIME:5"),
        ("-----", "-----"),
    ],
)
def test_what_becomes_of_a_line(old: str, new: str) -> None:
    data = f"C: x.example 1 u p\n{old}\n".encode()
    written = normalize(data)
    assert written == f"C: x.example 1 u p\n{new}\n".encode()
    assert normalize(written) == written


def test_limits_for_all_stay_those_of_a_mask_without_its_own() -> None:
    data = b"GLOBAL LIMITS : { 0:0:3 }\nF: a b 0 1 {0,0,0,0,0,0,0,0}\n"
    assert normalize(data) == data


def test_line_ends_marks_and_letters() -> None:
    data = b"\xef\xbb\xbfF: a b\r\n\r\n# \xc3\xa4\r\nF: K\xc3\xa4se b"
    assert normalize(data) == "F: a b 5 1 1\n\n# ä\nF: Käse b 5 1 1\n".encode()
    assert normalize("F: Käse b\n".encode("latin-1")) == "F: Käse b 5 1 1\n".encode("latin-1")
    assert normalize(b"\xff\xfeF\0") is None
    assert normalize(b"") == b""


def said(config: Config) -> tuple[object, ...]:
    accounts = [
        (line.user_bytes(), line.password_bytes(), line.max_distance, line.sids, line.timeframes,
         line.host, line.allowemm, line.downhops if line.downhops is not None else line.limits)
        for line in config.f_lines
    ]  # fmt: skip
    links = [replace(line, line=0) for line in config.c_lines]
    servers = [replace(line, line=0, stealth=0) for line in config.n_lines]
    return accounts, links, servers, config.settings, config.telnetinfo, config.webinfo


WORDS = (
    "F:|f :|C:|N:|a|b|h.example|12000|5|1|0|yes|{|}|,|0:0:1|0500:030B00|{ 0500:80:2 }"
    "|0500:030B00:1D80|12:00-13:00|#|# x|\t|DEBUG|:|=|on|GLOBAL LIMITS|INFO LISTEN PORT|ALLOW EMM"
    "|0102030405060708091011121314|\u00e4"
)
PIECES = st.sampled_from(WORDS.split("|"))
LINES = st.lists(PIECES, max_size=12).map(" ".join)


@given(st.lists(LINES, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_the_meaning_stays_and_twice_is_once(lines: list[str], end: str) -> None:
    data = end.join(["DEBUG : no", *lines, ""]).encode()
    written = normalize(data)
    assert written is not None
    assert said(parse(written).config) == said(parse(data).config)
    assert normalize(written) == written
    assert written.count(b"\n") == len(lines) + 1


def test_the_command(tmp_path: Path) -> None:
    old, new = tmp_path / "old.cfg", tmp_path / "new.cfg"
    old.write_text("f: a b # x\n")
    run = CliRunner().invoke
    shown = run(command_line(["convert"]), ["convert", str(old)])
    assert (shown.exit_code, shown.output) == (0, "F: a b 5 1 1 # x\n")
    assert run(command_line(["convert"]), ["convert", str(old), "-o", str(new)]).exit_code == 0
    assert new.stat().st_mode & 0o777 == 0o600
    again = run(command_line(["convert"]), ["convert", str(old), "-o", str(new)])
    assert (again.exit_code, "--force" in again.output) == (2, True)
    old.write_text("[account]\nuser = x\n")
    assert run(command_line(["convert"]), ["convert", str(old)]).exit_code == 2


def test_lines_that_are_alike_become_what_each_becomes_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forms = (
        *(
            "F: u{n} p{n}",
            "f:\tu{n}  p{n} # x",
            "F: u{n} p{n} 1 0 0 {{ 0:0:2, 0500 }}  ",
            "F:u{n} p",
        ),
        *(
            "C:h{n}.example 12{n} u p{n}",
            "C: h-{n}  1 u{n} p {{ 0:0:1 }}",
            "C : -{n} 1  u p",
            "c: h 70000  u p",
        ),
        *(
            "N: h{n} 1{n} u p 0102030405060708091011121314",
            "DEBUG:{n}",
            "DEBUG : yes",
            "what is {n}",
        ),
        *("F: User1 Password1", "F: {n} User1 1 1 1", "C: host1 1 User1 Password1", "F: ü{n}  p"),
    )
    data = "\n".join(form.format(n=n) for n in range(3) for form in forms).encode()
    quick = normalize(data)
    monkeypatch.setattr(normalizing, "_KEPT", 0)
    assert normalize(data) == quick


def test_what_is_remembered_of_lines_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normalizing, "_KEPT", 8)
    lines = normalizing._Lines("utf-8", has_global_limits=False)
    assert lines.write("DEBUG: 0") == "DEBUG : no"
    assert lines.write("DEBUG:  1") == "DEBUG : yes"
    assert list(lines._known) == ["DEBUG: 0"], "a longer line costs memory, too"
    for number in range(20):
        assert lines.write(f"# {number}") == f"# {number}"
        assert len(lines._known) == min(8, number + 2)


@pytest.mark.parametrize(("codec", "told"), [("utf-8", "utf-8"), ("latin-1", "iso-8859-1")])
def test_the_text_as_data(codec: str, told: str, tmp_path: Path) -> None:
    old, new = tmp_path / "old.cfg", tmp_path / "new.cfg"
    old.write_bytes("f: K\u00e4se b\n".encode(codec))
    words = ["convert", str(old), "--json"]
    done = CliRunner().invoke(command_line(words), words)
    found = json.loads(done.stdout)
    assert found["text"] == "F: K\u00e4se b 5 1 1\n"
    assert codecs.lookup(found["encoding"]) == codecs.lookup(told)
    words += ["-o", str(new)]
    done = CliRunner().invoke(command_line(words), words)
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"file": str(new)})
    assert new.read_bytes() == found["text"].encode(codec)


def test_the_command_says_why_nothing_was_written(tmp_path: Path) -> None:
    (tmp_path / "old.cfg").write_text("[account]\nuser = x\n")
    for name, why in (("old.cfg", "this is no CCcam.cfg"), ("none.cfg", "there is no such file")):
        words = ["convert", str(tmp_path / name), "-o", str(tmp_path / "new.cfg")]
        done = CliRunner().invoke(command_line(words), words)
        assert (done.exit_code, done.stdout) == (2, "")
        assert why in done.stderr
    assert not (tmp_path / "new.cfg").exists()


def test_with_force_the_file_itself_is_written_anew(tmp_path: Path) -> None:
    file = tmp_path / "CCcam.cfg"
    file.write_text("f: a b\n")
    words = ["convert", str(file), "-o", str(file), "--force"]
    done = CliRunner().invoke(command_line(words), words)
    assert (done.exit_code, done.output, file.read_text()) == (0, "", "F: a b 5 1 1\n")
