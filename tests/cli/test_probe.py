"""`cccamd probe` against a real server, as a person and as a program read it."""

import asyncio
import json
from hashlib import sha256

import pytest
from realserver import HOST, running
from typer.testing import CliRunner, Result

from cccamd.cli import command_line
from cccamd.ids import format_node_id
from cccamd.lab.ports import free_port
from cccamd.values import CW_LENGTH, with_checksums

CFG = "F: anna pw\n"
ECM = "80 70 01 02"
CW = with_checksums(sha256(bytes.fromhex(ECM)).digest()[:CW_LENGTH]).hex()


def cccamd_probe(*words: str) -> Result:
    return CliRunner().invoke(command_line(["probe"]), ["probe", *words])


async def probe(port: int, *words: str, password: str = "pw") -> Result:
    """Run the command in a thread, while the server runs here."""
    return await asyncio.to_thread(cccamd_probe, HOST, str(port), "anna", password, *words)


async def test_all_that_a_receiver_gets_is_shown() -> None:
    port = free_port()
    asked = ("--ecm", ECM, "--caid", "0x0b00", "--provider", "a", "--sid", "1D80")
    async with running(CFG, caid="0B00", port=port) as server:
        shown = await probe(port, *asked)
        told = await probe(port, *asked, "--json")
        node_id = format_node_id(server.snapshot().node_id)
    assert (shown.exit_code, told.exit_code) == (0, 0)
    lines = shown.output.splitlines()
    steps = ["TCP connection", "login", "server data", "card list"]
    assert [line[4:].partition(" after ")[0] for line in lines[: len(steps)]] == steps
    assert f"node id  {node_id}" in lines
    heading = lines.index("share id  CAID  providers  hop  reshare")
    assert lines[heading + 1].split()[1:] == ["0B00", "00000A", "0", "10"]
    assert lines[heading + 1].index("10", 20) == lines[heading].index("reshare")
    assert lines[-1].startswith(f"CW       {CW} after ")
    report = json.loads(told.output)
    assert report["complete"]
    assert report["cards"][0]["providers"] == ["00000A"]
    assert (report["node_id"], report["ecm"]["cw"]) == (node_id, CW)


async def test_what_went_wrong_is_said() -> None:
    port = free_port()
    nobody = await probe(port)
    async with running(CFG, caid="0B00", port=port):
        refused = await probe(port, password="wrong")
        other_card = await probe(port, "--ecm", ECM, "--caid", "0100")
    assert (nobody.exit_code, refused.exit_code, other_card.exit_code) == (1, 1, 1)
    assert f"nothing listens on port {port}" in nobody.output
    assert "login refused" in refused.output
    assert "the ECM was refused with" in other_card.output.splitlines()[-1]


async def test_a_server_that_throws_us_out_is_not_well() -> None:
    port = free_port()
    async with running(f"{CFG}MINIMUM CLIENT VERSION : 9.9.9\n", caid="0B00", port=port):
        shown = await probe(port)
        told = await probe(port, "--json")
    assert (shown.exit_code, told.exit_code) == (1, 1)
    assert "took the login and closed the connection at once" in shown.output
    assert json.loads(told.output)["reached"] == "thrown out after the login"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--caid", "0B00"), "--caid, --provider and --sid go with --ecm"),
        (("--sid", "0"), "--caid, --provider and --sid go with --ecm"),
        (("--ecm", "80"), "--ecm needs the --caid of its card"),
        (("--ecm", "8", "--caid", "0B00"), "and nothing but hex digits and blanks"),
        (("--ecm", "", "--caid", "0B00"), "found 0"),
        (("--ecm", "80", "--caid", "+b00"), "a CAID is up to 4 hex digits"),
        (("--ecm", "80", "--caid", "0B00", "--provider", "1000000"), "a provider is up to 6"),
    ],
)
def test_mistakes_are_explained(words: tuple[str, ...], expected: str) -> None:
    result = cccamd_probe(HOST, "1", "anna", "pw", *words)
    assert result.exit_code == 2
    assert expected in result.output


def test_a_user_name_has_to_fit_into_its_field() -> None:
    assert "1 to 20 bytes" in cccamd_probe(HOST, "1", "a" * 21, "pw").output
    assert cccamd_probe(HOST, "65536", "anna", "pw").exit_code == 2
