"""`[dvbapi]`: off unless it says what to open, for whom, and by which account."""

from pathlib import Path

import pytest

from cccamd.setup.setup import load_setup
from cccamd.setup.toml import DvbapiTable, parse

SOUND = '[dvbapi]\nport = 9000\naccount = "tv"\n'
LAN = 'listen = ["192.168.1.2"]\nnetworks = ["192.168.1.0/24"]\n'


def read(text: str) -> tuple[DvbapiTable, list[str]]:
    parsed = parse(text, kinds={}, folder=Path())
    return parsed.config.dvbapi, [str(problem) for problem in parsed.problems]


def test_without_it_nothing_is_opened() -> None:
    for text in ("", "[dvbapi]\n", "[dvbapi]\nport = 0\n"):
        table, problems = read(text)
        assert (table.enabled, table.doors, problems) == (False, (), [])


def test_a_port_is_for_this_machine_alone() -> None:
    table, problems = read(SOUND)
    assert problems == []
    assert (table.enabled, table.au) == (True, False)
    assert table.doors == ("127.0.0.1:9000", "[::1]:9000")
    assert table.admits("127.0.0.1")
    assert table.admits("::ffff:127.0.0.1")
    assert table.admits("::1")
    assert not table.admits("192.168.1.7"), "local networks are not let in by themselves"
    assert not table.admits("unknown")


def test_others_are_let_in_by_name() -> None:
    table, problems = read(SOUND + LAN)
    assert problems == []
    assert table.admits("192.168.1.7")
    assert table.admits("127.0.0.1")
    assert not table.admits("192.168.2.7")


def test_a_socket_has_a_mode_and_a_group() -> None:
    table, problems = read(
        '[dvbapi]\nsocket = "/run/cccamd/dvbapi.sock"\nsocket_mode = "600"\n'
        'socket_group = "video"\naccount = "tv"\n'
    )
    assert problems == []
    assert table.doors == ("/run/cccamd/dvbapi.sock",)
    assert (table.socket_mode, table.socket_group, table.port) == (0o600, "video", 0)
    assert read('[dvbapi]\nsocket = "/run/x"\naccount = "tv"\n')[0].socket_mode == 0o660


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("[dvbapi]\nport = 9000\n", "cccamd.toml:1:1", "expected account too: nobody logs in"),
        ("[dvbapi]\nau = true\n", "cccamd.toml:1:1", "expected port or socket"),
        (SOUND + 'listen = ["0.0.0.0"]\n', "cccamd.toml:1:1", "expected networks too"),
        (SOUND + 'listen = ["127.0.0.1", "::"]\n', "cccamd.toml:1:1", "expected networks too"),
        (SOUND + "listen = []\n", "cccamd.toml:4:10", "expected a list of addresses"),
        (SOUND + 'listen = ["tv"]\n', "cccamd.toml:4:11", "expected an address"),
        (SOUND + 'networks = ["tv"]\n', "cccamd.toml:4:13", "expected a network"),
        ("[dvbapi]\nport = 65536\n", "cccamd.toml:2:8", "expected a port, 0 to 65535"),
        (SOUND + 'socket = "x.sock"\n', "cccamd.toml:4:10", "expected a path from / on"),
        (SOUND + f'socket = "/{107 * "x"}"\n', "cccamd.toml:4:10", "of 107 bytes at most"),
        (SOUND + "socket_mode = 0o660\n", "cccamd.toml:4:15", "expected a mode as chmod takes it"),
        (SOUND + 'socket_mode = "0888"\n', "cccamd.toml:4:15", "expected a mode as chmod takes it"),
        (SOUND + 'socket_group = ""\n', "cccamd.toml:4:16", "expected the name of a group"),
        (SOUND + 'acount = "tv"\n', "cccamd.toml:4:1", "did you mean account?"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(text: str, place: str, words: str) -> None:
    table, (problem,) = read(text)
    assert not table.enabled, "with a fault in it nothing is opened"
    assert problem.startswith(place)
    assert words in problem
    assert "(so all of [dvbapi] stays at its defaults)" in problem


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('listen = ["0.0.0.0"]\nnetworks = ["0.0.0.0/0"]', "lets the whole internet"),
        ('socket = "/run/x"\nsocket_mode = "0666"', "every program of this machine"),
    ],
)
def test_what_is_dangerous_is_a_warning(line: str, words: str) -> None:
    table, (problem,) = read(SOUND + line)
    assert table.enabled
    assert "warning" in problem
    assert words in problem


def test_an_account_that_does_not_exist_is_told(tmp_path: Path) -> None:
    (tmp_path / "CCcam.cfg").write_text("F: anna secret\n")
    (tmp_path / "cccamd.toml").write_text(SOUND)
    told = [str(one) for one in load_setup(tmp_path / "CCcam.cfg", None).messages]
    assert any("cccamd.toml:3:11: [dvbapi] names no F-line" in text for text in told), told
    (tmp_path / "cccamd.toml").write_text(SOUND.replace("tv", "anna"))
    told = [str(one) for one in load_setup(tmp_path / "CCcam.cfg", None).messages]
    assert not any("dvbapi" in text for text in told)
