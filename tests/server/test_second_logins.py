"""Second logins over real lines, some of which died without a word (network namespace, nft)."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shells import run_shell

AT_ONCE = 1.4
"""Seconds: without waiting for a sign of life."""
IN_TIME = 3.0
"""Clients wait two seconds; this machine runs both sides, and other tests: so it has three."""
SCRIPT = Path(__file__).parent / "second_logins.py"
PATHS = "/usr/sbin:/usr/bin:/sbin:/bin"
NEEDED = ("ip", "nft", "unshare")
UNSHARE = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]


def _why_not() -> str:
    missing = [name for name in NEEDED if shutil.which(name, path=PATHS) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    rules = "ip link set lo up && nft add table ip cut"
    done = subprocess.run([*UNSHARE, "sh", "-c", rules], capture_output=True, check=False)
    return "network namespaces are not allowed here" if done.returncode else ""


WHY_NOT = _why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture(scope="module")
def happened() -> dict[str, Any]:
    done = run_shell(
        [*UNSHARE, "sh", "-c", 'ip link set lo up && exec "$0" "$1"', sys.executable, str(SCRIPT)],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parent.parent)},
        seconds=60.0,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("who", ["lives", "lives and answers nothing"])
def test_who_lives_stays_and_the_second_is_refused_at_once(
    happened: dict[str, Any], who: str
) -> None:
    got_in, seconds, first_stayed = happened[who]
    assert not got_in
    assert first_stayed
    assert seconds < AT_ONCE


def test_the_refusal_is_told_with_both_addresses(happened: dict[str, Any]) -> None:
    (refused,) = happened["refused"]
    assert refused == ["anna", "127.0.0.3", ["127.0.0.2"], 2]
    line = next(line for line in happened["log"] if "no login: this user" in line)
    assert re.fullmatch(
        r"anna@127\.0\.0\.3:\d+: no login: this user is connected already"
        r" \(from 127\.0\.0\.2:\d+, which answers; one F-line is one client\)",
        line,
    )


def test_who_is_cut_off_is_followed_within_two_seconds_and_once(happened: dict[str, Any]) -> None:
    cut_off = happened["cut off"]
    assert cut_off["got in"] == 1
    assert AT_ONCE < cut_off["took"] < IN_TIME
    assert cut_off["holders"] == ["127.0.0.3"]
    assert cut_off["left over"] == 0
    assert cut_off["held up"] < AT_ONCE / 2
    assert any("other logins wait for its place already" in line for line in happened["log"])
    log = "\n".join(happened["log"])
    assert re.search(
        r"anna@127\.0\.0\.3:\d+: takes the place of 127\.0\.0\.2:\d+, which did not answer", log
    )
    assert re.search(
        r"anna@127\.0\.0\.2:\d+: logged out: it did not answer when its account logged in anew"
        r" \(from 127\.0\.0\.3:\d+; nothing was heard for 1\.5 s\)",
        log,
    )


def test_a_guess_throws_nobody_out_and_is_called_one(happened: dict[str, Any]) -> None:
    cut_off = happened["cut off"]
    assert not cut_off["guessed"]
    assert cut_off["guess took"] < AT_ONCE
    assert not cut_off["guess had somebody asked"]
    assert cut_off["holders after the guess"] == ["127.0.0.2"]
    assert any(
        re.match(r"anna@127\.0\.0\.4:\d+: no login: wrong password", line)
        for line in happened["log"]
    )


def test_who_gave_up_waiting_finds_the_place_free(happened: dict[str, Any]) -> None:
    got_in, seconds = happened["gave up"]
    assert got_in
    assert seconds < AT_ONCE
    log = "\n".join(happened["log"])
    assert re.search(r"gave up waiting, but the place is free now: 127\.0\.0\.5:\d+", log)
    assert "while it was looked whether 127.0.0.5" in log


def test_who_was_started_anew_is_in_at_once(happened: dict[str, Any]) -> None:
    got_in, seconds = happened["started anew"]
    assert got_in
    assert seconds < AT_ONCE


def test_who_comes_back_to_an_account_for_two_is_no_clone_of_itself(
    happened: dict[str, Any],
) -> None:
    got_in, seconds, clones, soon, later = happened["came back"]
    assert got_in
    assert seconds < AT_ONCE
    assert soon == ["127.0.0.7", "127.0.0.8"]
    assert later == ["127.0.0.8"]
    assert clones == []


def test_who_calls_from_another_host_throws_nobody_out(happened: dict[str, Any]) -> None:
    first, first_took, second, second_took, held_by = happened["elsewhere"]
    assert not first
    assert not second
    assert max(first_took, second_took) < AT_ONCE
    assert held_by == ["127.0.0.9"]
