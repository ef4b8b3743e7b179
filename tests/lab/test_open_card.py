import asyncio
import sys
from asyncio.subprocess import PIPE
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cccamd.ids import Caid, Ident, Sid
from cccamd.lab.cas import (
    Addressee,
    CardKeys,
    EcmHeader,
    GroupKey,
    HeadEnd,
    IssuedCard,
    ManagementKey,
    RevokeKey,
    ServiceKey,
)
from cccamd.lab.opencard import OpenCard, OpenOptions
from cccamd.lab.storage import read_key_file, replace_key_file
from cccamd.localcards import (
    CannotDecode,
    CardConfig,
    EmmRefused,
    GuardedCard,
    start_card,
)
from cccamd.values import ControlWords, with_checksums

CAID = Caid(0xFF01)
UA = bytes.fromhex("0000000012345678")
SA = bytes.fromhex("00000001")
NONCE = bytes(12)
WORDS = ControlWords(with_checksums(bytes(range(16))))
SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


def head_end() -> HeadEnd:
    return (
        HeadEnd(caid=CAID, all=ManagementKey(key=bytes([1]) * 16))
        .with_group(SA, GroupKey(key=bytes([2]) * 16, ident=Ident(0x000102)))
        .with_card(UA, IssuedCard(key=bytes([3]) * 16, groups=(SA,)))
        .with_service_key(3, ServiceKey(key=bytes([4]) * 16, expires=SOON))
    )


def ecm(head: HeadEnd) -> bytes:
    return head.make_ecm(EcmHeader(Sid(0x1D80), 3, 7), WORDS, nonce=NONCE)


def write_card(folder: Path, *, with_service_keys: bool = True) -> Path:
    path = folder / "lab.keys"
    replace_key_file(path, head_end().card_keys(UA, with_service_keys=with_service_keys))
    return path


async def start(folder: Path, told: list[str], caid: Caid = CAID) -> GuardedCard | None:
    providers = (Ident(0x000102), Ident(0))
    config = CardConfig(name="lab", caid=caid, providers=providers, folder=folder)
    return await start_card(OpenCard, config, OpenOptions(keys="lab.keys"), report=told.append)


async def test_decodes_and_shows_its_addresses(tmp_path: Path) -> None:
    write_card(tmp_path)
    told: list[str] = []
    card = await start(tmp_path, told)
    assert card is not None, told
    assert card.decode_now(ecm(head_end()), ident=Ident(0), sid=Sid(0x1D80)) == WORDS
    assert card.ua == UA
    assert card.providers == ((0x000102, SA), (0, bytes(4)))
    assert told == []


async def test_a_refusal_reaches_the_caller(tmp_path: Path) -> None:
    write_card(tmp_path, with_service_keys=False)
    card = await start(tmp_path, [])
    assert card is not None
    with pytest.raises(CannotDecode, match="service key 0003 is not on the card; it holds none"):
        card.decode_now(ecm(head_end()), ident=Ident(0), sid=Sid(0x1D80))
    with pytest.raises(EmmRefused, match="table id 81, expected 82 or 83 or 84"):
        await card.handle_emm(ecm(head_end()))


async def test_what_it_learnt_survives_a_restart(tmp_path: Path) -> None:
    write_card(tmp_path, with_service_keys=False)
    head, emm = head_end().make_emm(Addressee.CARD, UA, (head_end().set_command(3),), nonce=NONCE)
    first = await start(tmp_path, [])
    assert first is not None
    await first.handle_emm(emm)
    await first.close()
    second = await start(tmp_path, [])
    assert second is not None
    assert second.decode_now(ecm(head), ident=Ident(0), sid=Sid(0x1D80)) == WORDS
    with pytest.raises(EmmRefused, match="seen before"):
        await second.handle_emm(emm)


async def test_a_failed_write_is_told_and_tried_again(tmp_path: Path) -> None:
    path = write_card(tmp_path)
    card = await start(tmp_path, [])
    assert card is not None
    _, emm = head_end().make_emm(Addressee.ALL, b"", (RevokeKey(3),), nonce=NONCE)
    obstacle = tmp_path / ".lab.keys.new"
    obstacle.mkdir()
    with pytest.raises(EmmRefused, match=r"learnt until the next restart only: .*lab\.keys"):
        await card.handle_emm(emm)
    assert read_key_file(path, CardKeys).service_keys
    obstacle.rmdir()
    await card.close()
    assert not read_key_file(path, CardKeys).service_keys


async def test_a_file_that_somebody_put_there_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    path = write_card(tmp_path)
    card = await start(tmp_path, [])
    assert card is not None
    write_card(tmp_path, with_service_keys=False)
    theirs = path.read_bytes()
    _, emm = head_end().make_emm(Addressee.ALL, b"", (RevokeKey(3),), nonce=NONCE)
    with pytest.raises(EmmRefused, match="was changed by somebody else"):
        await card.handle_emm(emm)
    await card.close()
    assert path.read_bytes() == theirs


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "lab.keys: there is no such file"),
        (b"\xff", "lab.keys: not a UTF-8 text file"),
        (b"{", "lab.keys: not JSON"),
        (b"{}", "lab.keys: caid: Field required"),
    ],
)
async def test_a_bad_key_file_costs_the_card(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / "lab.keys").write_bytes(content)
    told: list[str] = []
    assert await start(tmp_path, told) is None
    assert len(told) == 1
    assert reason in told[0]


async def test_a_card_of_another_caid_is_not_served(tmp_path: Path) -> None:
    write_card(tmp_path)
    told: list[str] = []
    assert await start(tmp_path, told, caid=Caid(0x0B00)) is None
    assert "is a card of CAID FF01, the table says 0B00" in told[0]


async def test_a_file_that_others_can_read_is_warned_about(tmp_path: Path) -> None:
    write_card(tmp_path).chmod(0o644)
    told: list[str] = []
    assert await start(tmp_path, told) is not None
    assert "chmod 600" in told[0]


async def test_a_second_card_of_one_key_file_stays_out_until_the_first_is_gone(
    tmp_path: Path,
) -> None:
    write_card(tmp_path)
    told: list[str] = []
    first = await start(tmp_path, told)
    assert first is not None
    assert await start(tmp_path, told) is None
    assert "another card (this one) has this file of keys" in told[0]
    await first.close()
    second = await start(tmp_path, told)
    assert second is not None
    await second.close()


async def test_a_server_that_was_killed_holds_no_key_file(tmp_path: Path) -> None:
    path = write_card(tmp_path)
    code = (
        "import sys, pathlib; from cccamd.lab.storage import lock_key_file\n"
        "lock = lock_key_file(pathlib.Path(sys.argv[1])); print('held', flush=True); input()"
    )
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(path), stdin=PIPE, stdout=PIPE
    )
    assert other.stdout is not None
    assert await other.stdout.readline() == b"held\n"
    told: list[str] = []
    assert await start(tmp_path, told) is None
    assert f"(process {other.pid})" in told[0]
    other.kill()
    await other.wait()
    card = await start(tmp_path, told)
    assert card is not None
    await card.close()
