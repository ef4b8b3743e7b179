import re
from pathlib import Path

import pytest
from plugin_package import install

from cccamd.lab.opencard import OpenCard
from cccamd.localcards import CardConfig, CardKindError, GuardedCard, find_kinds, start_card
from cccamd.localcards.fixed import FixedCard
from cccamd.localcards.testcard import TestCard
from cccamd.setup.files import ConfigFileError
from cccamd.setup.setup import load_setup
from cccamd.setup.toml import parse

DOCUMENT = Path(__file__).parents[2] / "docs" / "plugins.md"


def test_built_in_kinds_are_found() -> None:
    kinds = find_kinds()
    assert kinds["fixed"] is FixedCard
    assert kinds["test"] is TestCard
    assert kinds["open"] is OpenCard


def test_unusable_plug_ins_cost_themselves_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    source = "class NoCard: pass\nfrom cccamd.localcards.testcard import TestCard as Good\n"
    source += "class BadOptions(Good): Options = dict\n"
    points = {
        "good": "mixed_cards:Good",
        "nocard": "mixed_cards:NoCard",
        "badoptions": "mixed_cards:BadOptions",
        "absent": "mixed_cards:Absent",
        "test": "mixed_cards:NoCard",
    }
    install(tmp_path, name="mixed_cards", entry_points=points, source=source)
    # The folder of packages has no order of its own: the first by name has a name that two want.
    for late in ("other_cards", "zebra_cards"):
        install(tmp_path, name=late, entry_points={"good": f"{late}:NoCard"}, source=source)
    install(tmp_path, name="broken_cards", entry_points={"b": "broken_cards:B"}, source="1 / 0")
    install(
        tmp_path, name="quitting_cards", entry_points={"q": "quitting_cards:Q"}, source="exit(3)"
    )
    kinds = find_kinds()
    assert kinds["good"] is TestCard
    assert kinds["test"] is TestCard, "ours wins"
    assert kinds.problems == tuple(
        f'card kind "{kind}" of package {package} 1.2 is not used: the name is taken'
        for kind, package in (
            ("test", "mixed_cards"),
            ("good", "other_cards"),
            ("good", "zebra_cards"),
        )
    )
    for name, expected in (
        ("b", r'kind "b" of package broken_cards 1.2 cannot be used: ZeroDivisionError'),
        ("q", r'kind "q" of package quitting_cards 1.2 cannot be used: SystemExit'),
        ("nocard", r'kind "nocard" of package mixed_cards 1.2 .* not a subclass of .*LocalCard'),
        ("badoptions", r'kind "badoptions" .* not a subclass of CardOptions'),
        ("absent", r'kind "absent" .* AttributeError'),
    ):
        assert name in kinds
        with pytest.raises(CardKindError, match=expected):
            kinds[name]


def test_a_card_of_a_broken_kind_is_left_out_and_the_file_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, name="broken_cards", entry_points={"b": "broken_cards:B"}, source="1 / 0")
    sound = parse('[[card]]\nkind = "test"\ncaid = "7F00"\n', kinds=find_kinds(), folder=tmp_path)
    assert not sound.problems, "nobody asked for the broken one"
    broken = parse('[[card]]\nkind = "b"\ncaid = "7F00"\n', kinds=find_kinds(), folder=tmp_path)
    assert not broken.config.cards
    (problem,) = broken.problems
    assert re.search(
        r'cccamd.toml:2:8: error: \[\[card\]\] kind: card kind "b" .*ZeroDiv', str(problem)
    )


def test_a_kind_is_loaded_once_however_many_cards_ask_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    log = tmp_path / "log"
    source = f"with open({str(log)!r}, 'a') as log:\n    log.write('x')\n1 / 0\n"
    install(tmp_path, name="broken_cards", entry_points={"b": "broken_cards:B"}, source=source)
    cards = '[[card]]\nkind = "b"\ncaid = "7F00"\n' * 3
    assert len(parse(cards, kinds=find_kinds(), folder=tmp_path).problems) == 3
    assert log.read_text() == "x"
    parse(cards, kinds=find_kinds(), folder=tmp_path)
    assert log.read_text() == "xx", "a reload tries again"


async def test_the_documented_plug_in_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    point = {"tape": "tape_cards:TapeCard"}
    install(tmp_path, name="tape_cards", entry_points=point, source=blocks[0])
    kind = find_kinds()["tape"]
    (tmp_path / "tape.txt").write_text("aabb 00112233aabbcc3100112233aabbcc31\n")
    config = CardConfig(name="tape", caid=0xFF01, folder=tmp_path)
    told: list[str] = []
    card = await start_card(kind, config, kind.Options(file="tape.txt"), report=told.append)
    assert isinstance(card, GuardedCard), told
    words = await card.decode(b"\xaa\xbb", ident=0, sid=1)
    assert words.raw.hex() == "00112233aabbcc3100112233aabbcc31"
    await card.close()


def two_files(folder: Path) -> Path:
    """A CCcam.cfg, with a card in the cccamd.toml beside it."""
    (folder / "CCcam.cfg").write_text("F: anna secret\n")
    (folder / "cccamd.toml").write_text('[[card]]\nkind = "test"\ncaid = "7F00"\n')
    return folder / "CCcam.cfg"


def test_a_kind_whose_name_is_taken_is_told_with_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    points = {"test": "rival_cards:Card"}
    install(tmp_path, name="rival_cards", entry_points=points, source="class Card: pass\n")
    told = [message.text for message in load_setup(two_files(tmp_path), None).messages]
    assert any('"test" of package rival_cards 1.2 is not used' in text for text in told)


def test_packages_that_the_system_does_not_let_us_read_are_a_trouble_that_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_many(**words: str) -> None:
        raise OSError(24, "Too many open files", "/packages")

    monkeypatch.setattr("importlib.metadata.entry_points", too_many)
    with pytest.raises(ConfigFileError, match="Too many open files") as raised:
        load_setup(two_files(tmp_path), None)
    assert raised.value.passing
