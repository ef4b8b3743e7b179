"""The key and the list of paired servers as files: private, whole, safe from each other's hands."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cccamd.setup.pairing import Pairing, PairingError
from cccamd.wire.certificates import code_of, make_key
from cccamd.wire.keycodes import KeyCode


def codes(number: int) -> list[KeyCode]:
    return [code_of(make_key()) for _ in range(number)]


def test_many_programs_at_once_have_one_key_and_one_list(tmp_path: Path) -> None:
    """Each has its own `Pairing`, as a process of its own would."""
    others = codes(12)

    def pair(number: int) -> KeyCode:
        pairing = Pairing(tmp_path / "state")
        pairing.pair(f"server{number}", others[number])
        return pairing.own_code()

    with ThreadPoolExecutor(12) as threads:
        owns = set(threads.map(pair, range(12)))
    pairing = Pairing(tmp_path / "state")
    assert owns == {pairing.own_code()}
    assert {name: each.code for name, each in pairing.paired().items()} == {
        f"server{number}": code for number, code in enumerate(others)
    }
    for path in pairing.key_path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert not list(pairing.key_path.parent.glob("*.new"))


def test_a_list_that_was_changed_is_read_anew_and_a_broken_one_changes_nothing(
    tmp_path: Path,
) -> None:
    first, second = codes(2)
    running, command = Pairing(tmp_path), Pairing(tmp_path)
    assert running.paired() == {}
    command.pair("attic", first)
    assert running.find(first) == command.paired()["attic"]
    running.list_path.write_text(running.list_path.read_text().replace("code", "kode"))
    assert running.find(first), "it is known as it was"
    assert "[attic]: expected code and since" in running.trouble
    with pytest.raises(PairingError, match="expected code and since"):
        command.pair("cellar", second)
    running.list_path.unlink()
    assert (running.find(first), running.trouble) == (None, "")


def test_no_key_is_replaced_unasked(tmp_path: Path) -> None:
    first, second = codes(2)
    pairing = Pairing(tmp_path)
    pairing.pair("attic", first)
    since = pairing.paired()["attic"].since
    assert pairing.pair("attic", first).since == since, "again is no change"
    with pytest.raises(PairingError, match="with another key; --replace"):
        pairing.pair("attic", second)
    with pytest.raises(PairingError, match="paired already, as attic"):
        pairing.pair("cellar", first)
    with pytest.raises(PairingError, match="of this server itself"):
        pairing.pair("cellar", pairing.own_code())
    with pytest.raises(PairingError, match="is no name"):
        pairing.pair('x"]\n[y', second)
    assert pairing.pair("attic", second, replace=True).code == second
    pairing.forget("attic")
    with pytest.raises(PairingError, match="no server is paired as attic"):
        pairing.forget("attic")


def test_a_key_file_that_is_none_is_left_alone(tmp_path: Path) -> None:
    pairing = Pairing(tmp_path)
    pairing.key_path.write_text("somebody's file")
    with pytest.raises(PairingError, match="no key of a server; move it away"):
        pairing.own_code()
    assert pairing.key_path.read_text() == "somebody's file"
    pairing.key_path.unlink()
    os.mkfifo(pairing.key_path)
    with pytest.raises(PairingError, match="a pipe, not a file"):
        pairing.own_code()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_belongs_to_the_server_that_the_folder_belongs_to(tmp_path: Path) -> None:
    os.chown(tmp_path, 4321, 4322)
    pairing = Pairing(tmp_path)
    pairing.pair("attic", codes(1)[0])
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in tmp_path.iterdir()}
    assert owners == {(4321, 4322)}
