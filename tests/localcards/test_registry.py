import re
from pathlib import Path

import pytest
from plugin_package import install

from cccamd.lab.opencard import OpenCard
from cccamd.localcards import CardConfig, GuardedCard, find_kinds, start_card
from cccamd.localcards.fixed import FixedCard
from cccamd.localcards.test import TestCard

DOCUMENT = Path(__file__).parents[2] / "docs" / "plugins.md"


def test_built_in_kinds_are_found() -> None:
    kinds = find_kinds().kinds
    assert kinds["fixed"] is FixedCard
    assert kinds["test"] is TestCard
    assert kinds["open"] is OpenCard


def test_unusable_plug_ins_cost_themselves_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    source = "class NoCard: pass\nfrom cccamd.localcards.test import TestCard as Good\n"
    source += "class BadOptions(Good): Options = dict\n"
    points = {
        "good": "mixed_cards:Good",
        "nocard": "mixed_cards:NoCard",
        "badoptions": "mixed_cards:BadOptions",
        "absent": "mixed_cards:Absent",
        "test": "mixed_cards:NoCard",
    }
    install(tmp_path, name="mixed_cards", entry_points=points, source=source)
    install(tmp_path, name="broken_cards", entry_points={"b": "broken_cards:B"}, source="1 / 0")
    install(
        tmp_path, name="quitting_cards", entry_points={"q": "quitting_cards:Q"}, source="exit(3)"
    )
    found = find_kinds()
    assert found.kinds["good"].__name__ == "TestCard"
    assert found.kinds["test"] is TestCard, "ours wins"
    assert not {"nocard", "badoptions", "absent", "b", "q"} & found.kinds.keys()
    told = "\n".join(found.problems)
    for expected in (
        r'kind "b" of package broken_cards 1.2 cannot be used: ZeroDivisionError',
        r'kind "q" of package quitting_cards 1.2 cannot be used: SystemExit',
        r'kind "nocard" of package mixed_cards 1.2 .* not a subclass of .*LocalCard',
        r'kind "badoptions" .* not a subclass of CardOptions',
        r'kind "absent" .* AttributeError',
        r'kind "test" of package mixed_cards 1.2 is not used: the name is taken',
    ):
        assert re.search(expected, told), expected


async def test_the_documented_plug_in_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    point = {"tape": "tape_cards:TapeCard"}
    install(tmp_path, name="tape_cards", entry_points=point, source=blocks[0])
    kind = find_kinds().kinds["tape"]
    (tmp_path / "tape.txt").write_text("aabb 00112233aabbcc3100112233aabbcc31\n")
    config = CardConfig(name="tape", caid=0xFF01, folder=tmp_path)
    told: list[str] = []
    card = await start_card(kind, config, kind.Options(file="tape.txt"), report=told.append)
    assert isinstance(card, GuardedCard), told
    words = await card.decode(b"\xaa\xbb", ident=0, sid=1)
    assert words.raw.hex() == "00112233aabbcc3100112233aabbcc31"
    await card.close()
