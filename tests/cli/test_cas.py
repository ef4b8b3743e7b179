"""A laboratory made by hand: every command once, and the card that comes out of it."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cccamd.cli.cas import app
from cccamd.ids import Sid
from cccamd.lab.cas import CardKeys, CasError, HeadEnd, decode, learn
from cccamd.lab.opencard import OpenCard
from cccamd.lab.storage import read_key_file
from cccamd.setup.toml import parse

UA = "0000000012345678"
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(line: str) -> str:
    result = CliRunner().invoke(app, line.split())
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(line: str) -> str:
    result = CliRunner().invoke(app, line.split())
    assert result.exit_code != 0
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def make_lab(*, options: str = "") -> str:
    run("new-headend head.json --caid FF01")
    run("new-group head.json --sa 00000001 --ident 000102")
    run("new-key head.json --id 0003")
    return run(f"new-card head.json lab.keys --ua {UA} --group 00000001 {options}")


def card() -> CardKeys:
    return read_key_file(Path("lab.keys"), CardKeys)


def test_an_ecm_decodes_to_the_cw_that_was_shown() -> None:
    make_lab()
    ecm, shown = run("ecm head.json --key 0003 --sid 1D80 --show-cw").split()
    words = decode(card(), bytes.fromhex(ecm), sid=Sid(0x1D80), now=NOW)
    assert words.raw.hex() == shown
    assert words.checksums_valid


def test_an_ecm_carries_the_given_cw_and_period() -> None:
    make_lab()
    cw = "010203060405060f070809180a0b0c21"
    ecm = bytes.fromhex(run(f"ecm head.json --key 3 --sid 1D80 --cw {cw} --period 7"))
    assert ecm[:12].hex() == "817035011d80000300000007"
    assert decode(card(), ecm, sid=Sid(0x1D80), now=NOW).raw.hex() == cw


@pytest.mark.parametrize("to", [f"--card {UA}", "--group 00000001", "--all"])
def test_emms_give_keys_and_take_them_away(to: str) -> None:
    make_lab(options="--empty")
    ecm = bytes.fromhex(run("ecm head.json --key 3 --sid 1"))
    with pytest.raises(CasError, match="holds none"):
        decode(card(), ecm, sid=Sid(1), now=NOW)
    given = learn(card(), bytes.fromhex(run(f"emm head.json {to} --set 3")))
    assert decode(given, ecm, sid=Sid(1), now=NOW)
    revoked = learn(given, bytes.fromhex(run(f"emm head.json {to} --revoke 3")))
    assert revoked.service_keys == {}


def test_the_printed_table_serves_the_card(tmp_path: Path) -> None:
    table = make_lab()
    parsed = parse(table, kinds={"open": OpenCard}, folder=tmp_path)
    assert parsed.problems == ()
    assert parsed.config.cards[0].config.providers == (0x000102,)


def test_files_are_private_and_never_overwritten(tmp_path: Path) -> None:
    make_lab()
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    assert "is there already" in refused("new-headend head.json --caid FF01")
    before = Path("head.json").read_text()
    assert "is there already" in refused("new-card head.json lab.keys")
    assert Path("head.json").read_text() == before


def test_show_tells_everything_but_the_keys() -> None:
    make_lab()
    run("new-key head.json --id 0009 --expires 2020-01-01T00:00")
    run("new-card head.json other.keys")
    shown = run("show other.keys")
    assert "service key 0009, expired 2020-01-01 00:00 UTC" in shown
    assert "service key 0003, good until" in shown
    secrets = re.findall(r'"key": "(\w+)"', Path("head.json").read_text())
    assert len(secrets) == 6
    assert not any(secret in shown for secret in secrets)


def test_renewing_a_key_keeps_its_name() -> None:
    make_lab()
    old = read_key_file(Path("head.json"), HeadEnd).service_key(3)
    run("new-key head.json --id 3 --days 60")
    new = read_key_file(Path("head.json"), HeadEnd).service_key(3)
    assert (new.key != old.key, new.expires > old.expires) == (True, True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ecm absent.json --key 3 --sid 1", "absent.json: there is no such file"),
        ("ecm lab.keys --key 3 --sid 1", "lab.keys: "),
        ("ecm head.json --key 7 --sid 1", "the head-end has no service key 0007"),
        ("ecm head.json --key xyz --sid 1", "a key id is up to 4 hex digits"),
        ("ecm head.json --key 3 --sid 1 --cw 0102", "expected 32 hex digits"),
        ("emm head.json --set 3", "say whom the EMM is for"),
        (f"emm head.json --all --card {UA} --set 3", "say whom the EMM is for"),
        ("emm head.json --all", "an EMM needs at least one command"),
        ("emm head.json --group 00000009 --set 3", "the head-end has no group 00000009"),
        ("new-card head.json new.keys --group 00000009", "the head-end has no group 00000009"),
        ("new-group head.json --sa 00000001", "has a group 00000001 already"),
        ("new-key head.json --id 1 --expires soon", "expected a time like"),
        ("new-key head.json --id 1 --expires 2200-01-01", "from 1970 to 2106"),
        ("show head.json", "head.json: "),
    ],
)
def test_mistakes_are_explained(line: str, expected: str) -> None:
    make_lab()
    assert expected in refused(line)


def test_the_documented_laboratory() -> None:
    document = (Path(__file__).parents[2] / "docs" / "open-cas.md").read_text()
    lines = re.findall(r"^\$ cccamd cas (.*)$", document, re.MULTILINE)
    assert len(lines) == 7
    *_, ecm, _, emm = [run(line) for line in lines]
    section, shown = ecm.split()
    learnt = learn(card(), bytes.fromhex(emm))
    assert set(learnt.service_keys) == {3, 4}
    words = decode(learnt, bytes.fromhex(section), sid=Sid(0x1D80), now=NOW)
    assert words.raw.hex() == shown


def test_every_command_explains_itself() -> None:
    overview = run("--help")
    for command in ("new-headend", "new-key", "new-group", "new-card", "ecm", "emm", "show"):
        assert command in overview
        assert "Usage" in run(f"{command} --help")
