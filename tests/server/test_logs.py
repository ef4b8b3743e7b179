"""What log lines look like, of whom they tell, and what never stands in them."""

import contextlib
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TextIO

import pytest
from laboratory import HOST, TEST_CARD, ask, cards_of, expected_cw, running

from cccamd.net import ConnectError
from cccamd.server import logs, set_up_logging
from cccamd.setup.cccamcfg import Settings
from cccamd.setup.toml import LogTable
from cccamd.values import Emm

CLIENT = logging.getLogger("cccamd.client")
ANNA = {"account": "anna", "peer": "192.0.2.7:40000"}


def test_lines_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(Settings(), debug=False)
    CLIENT.info("%s: says: %s", "anna@192.0.2.7", "hello\n2026-11-22 ERROR all lost\x1b[2J\u2028")
    (line,) = capsys.readouterr().out.splitlines()
    assert "hello\\n2026-11-22 ERROR all lost\\x1b[2J\\u2028" in line


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(Settings(), debug=False, table=LogTable(format="json"))
    CLIENT.warning('a "quoted"\nword', extra=ANNA)
    logging.getLogger("cccamd.server").info("listening")
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["message"] == 'a "quoted"\nword'
    assert (first["level"], first["logger"]) == ("warning", "client")
    assert (first["account"], first["peer"]) == ("anna", "192.0.2.7:40000")
    assert "T" in first["time"]
    assert "account" not in second


def test_one_account_at_run_time(capsys: pytest.CaptureFixture[str]) -> None:
    focus = logs.AccountFocus()
    set_up_logging(Settings(), debug=False, focus=focus)
    assert not CLIENT.isEnabledFor(logging.DEBUG)
    focus.choose(["anna"])
    for account in ("anna", "ben"):
        CLIENT.debug("of %s", account, extra={"account": account})
        CLIENT.info("news of %s", account, extra={"account": account})
    logging.getLogger("cccamd.upstream").debug("of nobody")
    shown = [line.split(maxsplit=3)[3] for line in capsys.readouterr().out.splitlines()]
    assert shown == ["of anna", "news of anna", "news of ben"]
    focus.choose([])
    assert not CLIENT.isEnabledFor(logging.DEBUG)


def test_a_reload_opens_all_files_anew_and_leaks_none(tmp_path: Path) -> None:
    path = tmp_path / "log"
    settings = Settings(log_file=str(path), log_warnings=str(tmp_path / "warnings"))
    set_up_logging(settings, debug=False)
    opened = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        set_up_logging(settings, debug=False)
    assert len(os.listdir("/proc/self/fd")) == opened
    CLIENT.info("first")
    path.rename(tmp_path / "log.1")
    CLIENT.info("second")
    assert "first" in (tmp_path / "log.1").read_text()
    assert "second" in path.read_text()


def test_a_log_that_cannot_be_written_stops_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    assert set_up_logging(Settings(log_file=str(folder)), debug=False) == {
        "LOG FILE": f"cannot write the log to {folder}: Is a directory"
    }
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    assert set_up_logging(Settings(log_warnings=str(pipe)), debug=False) == {
        "LOG WARNINGS": f"cannot write the log to {pipe}: this is a pipe, not a file"
    }
    pipe.unlink()
    path = folder / "log"
    set_up_logging(Settings(log_file=str(path)), debug=False)
    path.unlink()
    folder.rmdir()
    CLIENT.info("one")
    CLIENT.info("two")
    shown = capsys.readouterr()
    assert shown.err.count("cannot write the log") == 1
    assert "Traceback" not in shown.err
    assert "two" in shown.out


def test_a_full_disk_under_all_that_is_written_stops_nobody_nor_a_reload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`serve >log 2>&1`: even that it cannot be written cannot be written."""
    full = os.open("/dev/full", os.O_WRONLY)
    with contextlib.ExitStack() as held:
        for name in ("stdout", "stderr"):
            file = os.fdopen(os.dup(full), "w", buffering=1)
            held.callback(_shut, file)
            monkeypatch.setattr("sys." + name, file)
        os.close(full)
        for _ in range(2):
            assert set_up_logging(Settings(log_file="/dev/full"), debug=False) == {}
            CLIENT.info("one")
            CLIENT.info("two")
        monkeypatch.undo()


def _shut(file: TextIO) -> None:
    with contextlib.suppress(OSError):
        file.close()


def test_a_pipe_that_nobody_reads_stops_nothing_and_what_is_missing_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        set_up_logging(Settings(), debug=False)
        for number in range(5000):
            CLIENT.info("%d %s", number, "\N{SNOWMAN}" * 2000)
        read = b""
        while len(read) < 40_000:
            read += os.read(reader, 65536)
        CLIENT.info("the last")
    with os.fdopen(reader, "rb") as rest:
        *_, missing, last = (read + rest.read()).decode().splitlines()
    (count,) = re.findall(r"lines that are missing here, because nobody read them: (\d+)", missing)
    whole = [line for line in (read).decode(errors="replace").splitlines() if "..." in line]
    assert int(count) == 5000 - len(whole)
    assert "the last" in last


def _forms(secret: bytes) -> set[str]:
    """How a secret could stand in a log."""
    return {
        secret.hex(),
        secret.hex().upper(),
        secret.hex(" "),
        secret.hex(":"),
        repr(secret)[2:-1],
        repr(bytearray(secret))[12:-2],
        secret.decode("latin-1"),
        str(list(secret))[1:-1],
    }


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_no_secret_is_ever_logged(tmp_path: Path, log_format: str) -> None:
    """Two servers and a client, at -d: logins right and wrong, ECMs answered and refused, EMMs."""
    path = tmp_path / "log"
    table = LogTable(format=log_format)
    settings = Settings(log_file=str(path), show_timing=True)
    set_up_logging(settings, debug=True, table=table)
    words = ["Pass-To-Hide-1", "Pass-To-Hide-2", "Pass-To-Hide-3", "wrong-but-secret"]
    ecms = [b"\x80" + os.urandom(40), b"\x81" + os.urandom(300)]
    emm = b"\x82" + os.urandom(60)
    fixed = "010203060405060f0708091818191a4b"
    toml = f'{TEST_CARD}[[card]]\nkind = "fixed"\ncaid = "7E00"\ncw = "{fixed}"\n'
    async with running(f"F: far {words[0]}\nF: ben {words[2]}", toml) as far:
        cfg = f"C: {HOST} {far.port} far {words[0]}\nF: anna {words[1]}"
        async with running(cfg, "") as near:
            async with near.client("anna", words[1]) as client:
                await cards_of(client, 2)
                for ecm in ecms:
                    assert await ask(client, ecm) == expected_cw(ecm)
                await ask(client, ecms[0], caid=0x7E00)
                await ask(client, ecms[0], sid=9, caid=0x1234)
                card = next(iter(client.cards.values()))
                client.protocol.send_emm(
                    1, Emm(card.caid, card.providers[0].ident, card.share_id, emm), 0.0
                )
                client._connection.flush()
                await ask(client, b"\x80" + os.urandom(3))
            with pytest.raises(ConnectError):
                async with near.client("anna", words[3]):
                    pass
    text = path.read_text(encoding="utf-8")
    assert "anna@127.0.0.1" in text
    assert "asks 7F00:00000A:0001" in text
    assert "EMM of 61 bytes" in text
    cws = [expected_cw(ecm).raw for ecm in ecms] + [bytes.fromhex(fixed)]
    halves = [half for cw in cws for half in (cw[:8], cw[8:])]
    pieces = [piece[at : at + 8] for piece in (*ecms, emm) for at in range(1, len(piece) - 8, 8)]
    secrets = {form for each in (*halves, *pieces) for form in _forms(each)}
    assert [word for word in words if word in text] == []
    assert [secret for secret in secrets if secret in text] == []


def test_what_libraries_log_is_one_line_of_ours_and_told_once_a_minute(
    capfd: pytest.CaptureFixture[str],
) -> None:
    set_up_logging(Settings(), debug=False)
    for number in range(1000):
        try:
            raise OSError(24, "Too many open files")
        except OSError as error:
            logging.getLogger("asyncio").error("socket %d\nis lost", number, exc_info=error)
    out, err = capfd.readouterr()
    (line,) = out.splitlines()
    assert line.endswith(" ERROR   asyncio: socket 0 (OSError: [Errno 24] Too many open files)")
    assert err == ""


SMALL_FILES = """
import logging, resource, sys
from cccamd.server import logs_that_fail, set_up_logging
from cccamd.setup.cccamcfg import Settings
set_up_logging(Settings(log_file=sys.argv[1]), debug=False)
log = logging.getLogger("cccamd")
for _ in range(2):
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    log.info("x" * 200)
    print(logs_that_fail(), file=sys.stderr)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
    log.info("again")
    print(logs_that_fail(), file=sys.stderr)
"""


def test_a_log_that_takes_no_more_lines_is_known_each_time(tmp_path: Path) -> None:
    path = tmp_path / "log"
    words = [sys.executable, "-c", SMALL_FILES, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    known = str({"LOG FILE": f"cannot write the log to {path}: File too large"})
    assert [line for line in done.stderr.splitlines() if line[0] == "{"] == [known, "{}"] * 2
    assert done.stderr.count("cccamd: cannot write the log") == 2
