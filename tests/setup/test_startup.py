"""From files to a server that can start, and what is said about them."""

import gc
import logging
import os
from functools import partial
from logging import INFO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from typer.testing import CliRunner

from cccamd.cli import command_line
from cccamd.server import FileWatch
from cccamd.setup import setup
from cccamd.setup.cccamcfg import load_config
from cccamd.setup.nodeid import load_or_make, write_later
from cccamd.setup.rights import OPEN_TO_ALL
from cccamd.setup.setup import STRAYS_LIMIT, load_again, load_setup
from cccamd.wire.cccam import make_node_id, offers_partner


def texts(config: Path, toml: Path | None = None) -> list[str]:
    return list(map(str, load_setup(config, toml).messages))


def write(folder: Path, cfg: str, toml: str | None = None) -> Path:
    path = folder / "CCcam.cfg"
    path.write_text(cfg)
    if toml is not None:
        (folder / "cccamd.toml").write_text(toml)
    return path


def test_the_file_that_was_read_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "F: anna secret\nF: anna other\n")
    files = load_setup(path, None)
    assert f"configuration read from {path}" in texts(path)
    assert any(text.startswith(f"{path}:2:4: W140") for text in texts(path))
    assert not any("secret" in text for text in texts(path))
    assert [line.user for line in files.config.f_lines] == ["anna"]
    assert files.example is None


def test_what_a_server_keeps_holds_no_text_of_cccamd_toml(tmp_path: Path) -> None:
    """It has passwords in it, and places are looked up while ECMs wait."""
    toml = (
        '[[account]]\nuser = "anna"\npassword = "geheim"\n[[account]]\nuser = "ben"\nlogins = 2\n'
    )
    files = load_setup(write(tmp_path, "F: ben secret\n", toml), None)
    assert files.toml.place('[[account]] user "ben"').line == 4
    seen: set[int] = set()
    held: list[object] = [files.toml.places]
    while held:
        each = held.pop()
        if id(each) in seen or isinstance(each, type):
            continue
        seen.add(id(each))
        assert not (isinstance(each, str) and "geheim" in each)
        held += gc.get_referents(each)


def test_of_thousands_of_tables_that_name_nothing_some_are_named(tmp_path: Path) -> None:
    table = '[[account]]\nuser = "{}"\nlogins = 2\n'
    toml = "".join(table.format(number) for number in range(STRAYS_LIMIT + 3))
    path = write(tmp_path, "F: anna secret\n", toml)
    strays = [each for each in load_setup(path, None).messages if "names no F-line" in each.text]
    assert len(strays) == STRAYS_LIMIT
    (last,) = [each for each in load_setup(path, None).messages if each.count > 1]
    assert (str(last), last.count) == (f"{tmp_path}/cccamd.toml: and 3 more such tables", 3)


def test_a_missing_file_means_no_accounts_and_is_said(tmp_path: Path) -> None:
    files = load_setup(tmp_path / "nothing.cfg", None)
    assert not files.config.f_lines
    assert not files.refused
    assert files.messages[0].level == logging.ERROR


def test_what_is_no_cccam_cfg_is_refused(tmp_path: Path) -> None:
    assert load_setup(write(tmp_path, "[section]\nkey = value\n"), None).refused


def test_the_same_files_are_read_again_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CCcam.cfg that vanishes must not lead to another one, or to the built-in example."""
    first, second = tmp_path / "a.cfg", tmp_path / "b.cfg"
    for path in (first, second):
        path.write_text(f"F: {path.stem} secret\n")
    monkeypatch.setattr(setup, "load_config", partial(load_config, searched=(first, second)))
    files = load_setup(None, None)
    first.unlink()
    again = load_again(files.sources)
    assert "there is no such file any more" in again.doubt
    assert again.example is None
    assert not again.config.f_lines
    second.unlink()
    example = load_setup(None, None)
    assert example.example is not None
    first.write_text("F: come secret\n")
    assert [line.user for line in load_again(example.sources).config.f_lines] == ["come"]


def test_a_file_that_is_being_written_is_doubtful(tmp_path: Path) -> None:
    path = write(tmp_path, "F: anna secret\n", "[limits]\n")
    assert not load_setup(path, None).doubtful
    (tmp_path / "cccamd.toml").write_text("[limits")
    assert load_setup(path, None).doubtful
    (tmp_path / "cccamd.toml").unlink()
    path.write_bytes(b"")
    assert load_setup(path, None).doubtful
    # As many file systems leave it when the power goes: zeros in place of all of it, or of its end.
    for torn in (bytes(500), b"F: anna secret\n" + bytes(500)):
        path.write_bytes(torn)
        assert "it has zero bytes in it" in load_setup(path, None).doubt
        assert any("it has zero bytes in it" in text for text in texts(path))
    path.unlink()
    gone = load_setup(path, None)
    assert (gone.doubtful, gone.refused) == (True, False)


@pytest.mark.parametrize(
    ("cfg", "toml", "said"),
    [
        ("F: a b\n", '[[account]]\nuser = "c"\ncccversion = "2.0.11"\n', "names no F-line"),
        (
            "F: a b\n",
            '[[upstream]]\nhost = "h"\nport = 1\nuser = "c"\ncccversion = "2.0.11"\n',
            "names no C-line",
        ),
        ("F: a b\n", "[netwrok]\n", "netwrok"),
    ],
)
def test_what_has_no_effect_is_said(tmp_path: Path, cfg: str, toml: str | None, said: str) -> None:
    assert any(said in text for text in texts(write(tmp_path, cfg, toml)))


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    assert any(text.startswith(f"{path}: it is empty: ") for text in texts(path))
    assert load_setup(path, None).doubtful
    assert not any("it is empty" in text for text in texts(write(tmp_path, "# nothing\n")))


def test_a_toml_file_that_was_named_must_exist(tmp_path: Path) -> None:
    path = write(tmp_path, "F: a b\n")
    assert load_setup(path, tmp_path / "missing.toml").refused
    assert not load_setup(path, None).refused


def test_priorities_are_read_from_the_file_that_is_named(tmp_path: Path) -> None:
    prio = tmp_path / "my.prio"
    prio.write_text("I: 0500:042400\nP: 0100, 0B00:1:1234\nnonsense\n")
    files = load_setup(write(tmp_path, f"CAID PRIO FILE : {prio}\nF: a b\n"), None)
    read = files.companions.prio
    (ignored,) = read.ignored
    assert (ignored.caid, ignored.ident, ignored.sid) == (0x0500, 0x042400, 0)
    assert len(read.orders[0]) == 2
    assert any(str(message).startswith(f"{prio}:3:") for message in files.messages)


def test_without_any_file_an_example_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if load_setup(None, None).example is None:
        pytest.skip("this machine has a CCcam.cfg")
    first, second = load_setup(None, None), load_setup(None, None)
    assert first.example is not None
    assert first.config.f_lines[0].password != second.config.f_lines[0].password
    assert first.example.password == first.config.f_lines[0].password
    assert [entry.config.name for entry in first.toml.cards] == ["example"]


def test_a_node_id_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "node-id"
    made = load_or_make(path)
    assert offers_partner(made.node_id)
    assert load_or_make(path) == type(made)(made.node_id)


@pytest.mark.parametrize("content", [b"", b"not hex at all!!", b"\xff" * 16])
def test_a_corrupt_node_id_file_is_reported_and_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "node-id"
    path.write_bytes(content)
    made = load_or_make(path)
    ((level, note),) = made.notes
    assert level == logging.WARNING
    assert "was replaced" in note
    assert load_or_make(path).node_id == made.node_id


@pytest.mark.parametrize("content", ["F: anna secret\n", "ab" * 600])
def test_a_file_that_was_named_by_mistake_is_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "CCcam.cfg"
    path.write_text(content)
    made = load_or_make(path)
    assert made.trouble is not None
    assert "left alone" in made.trouble
    assert path.read_text() == content


def test_a_node_id_from_elsewhere_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "node-id"
    path.write_text("  80CECA0F39150D3F\n")
    kept = load_or_make(path)
    assert kept.node_id.hex() == "80ceca0f39150d3f"
    assert "tvheadend" in kept.notes[0][1]


def test_a_node_id_that_cannot_be_kept_is_said_and_kept_once_there_is_room(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.touch()
    path = folder / "node-id"
    made = load_or_make(path)
    assert made.trouble is not None
    assert made.is_unwritten
    assert offers_partner(made.node_id)
    assert write_later(path, made.node_id) == ""
    folder.unlink()
    assert "is written" in write_later(path, made.node_id)
    assert load_or_make(path).node_id == made.node_id
    # A disk that came late has the right one already.
    assert "next start" in write_later(path, make_node_id(bytes(4)))
    assert load_or_make(path).node_id == made.node_id


def test_changes_of_files_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "CCcam.cfg"
    watch = FileWatch([path])
    assert not watch.changed()
    path.write_text("F: a b\n")
    assert watch.changed()
    assert not watch.changed()
    path.unlink()
    assert watch.changed()


def test_a_node_id_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    made = load_or_make(tmp_path / "file" / "node-id")
    assert made.trouble is not None
    assert made.trouble.startswith(f"cannot write the node id to {tmp_path}/file/node-id: ")
    os.mkfifo(tmp_path / "pipe")
    made = load_or_make(tmp_path / "pipe")
    assert made.trouble is not None
    assert "this is a pipe, not a file" in made.trouble


def test_a_file_that_everybody_can_read_is_remarked() -> None:
    """No more than that: by tradition CCcam.cfg is 644."""
    with TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        Path(folder).chmod(0o755)
        path = Path(folder) / "CCcam.cfg"
        path.write_text("F: anna secret\n")
        for mode, told in ((0o644, 1), (0o640, 0), (0o600, 0)):
            path.chmod(mode)
            setup = load_setup(path, None)
            said = [message for message in setup.messages if message.text == OPEN_TO_ALL]
            assert [(message.level, message.kind) for message in said] == [(INFO, None)] * told
            checked = CliRunner().invoke(command_line(["check"]), ["check", str(path)])
            assert checked.exit_code == 0
            assert (OPEN_TO_ALL in checked.output) is bool(told)
