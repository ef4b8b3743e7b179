"""`cccamd cas`: what its commands do with the files of a head-end and of cards."""

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cccamd.cli.command import answer, failing_plainly
from cccamd.errors import CccamdError
from cccamd.ids import Caid, Ident, Sid, format_caid, format_ident, format_key_id
from cccamd.lab.cas import (
    KEY_LENGTH,
    NONCE_LENGTH,
    Addressee,
    CardKeys,
    CasError,
    EcmHeader,
    GroupKey,
    HeadEnd,
    IssuedCard,
    KeyCommand,
    KeyFile,
    ManagementKey,
    RevokeKey,
    ServiceKey,
    format_time,
)
from cccamd.lab.storage import read_key_file, replace_key_file
from cccamd.values import CW_LENGTH, ControlWords, with_checksums

PERIOD_SECONDS = 10
"""The usual crypto period; only the default of `ecm --period` counts in it."""

_failing_plainly = partial(failing_plainly, "cas", CccamdError, status=1)


def _save_new(path: Path, keys: KeyFile) -> None:
    if path.exists():
        raise CasError(f"{path} is there already; it may hold keys that nobody else has")
    replace_key_file(path, keys)


def new_headend(*, path: Path, caid: int, as_data: bool) -> None:
    """Make a head-end: a file with the secrets of everything that comes later."""
    with _failing_plainly():
        head_end = HeadEnd(caid=Caid(caid), all=ManagementKey(key=secrets.token_bytes(KEY_LENGTH)))
        _save_new(path, head_end)
    said = f"{path}: a head-end of CAID {format_caid(caid)}; keep the file to yourself"
    answer({"file": str(path), "caid": format_caid(caid)}, said, as_data=as_data)


def new_key(*, path: Path, key_id: int, days: int, expires: datetime | None, as_data: bool) -> None:
    """Make a random service key. Cards decode ECMs under it until it expires."""
    now = datetime.now(UTC).replace(microsecond=0)
    moment = expires or now + timedelta(days=days)
    with _failing_plainly():
        service_key = _make_service_key(moment)
        head_end = read_key_file(path, HeadEnd)
        replace_key_file(path, head_end.with_service_key(key_id, service_key))
    data = {"id": format_key_id(key_id), "expires": moment.isoformat()}
    said = f"service key {data['id']}, good until {format_time(moment)}"
    answer(data, said, as_data=as_data)


def _make_service_key(expires: datetime) -> ServiceKey:
    try:
        return ServiceKey(key=secrets.token_bytes(KEY_LENGTH), expires=expires)
    except ValueError:
        raise CasError("a key can expire from 1970 to 2106") from None


def new_group(*, path: Path, sa: bytes, ident: int | None, as_data: bool) -> None:
    """Make a group: EMMs to its shared address reach all cards made with it."""
    with _failing_plainly():
        group = GroupKey(key=secrets.token_bytes(KEY_LENGTH), ident=Ident(ident or 0))
        replace_key_file(path, read_key_file(path, HeadEnd).with_group(sa, group))
    data = {"sa": sa.hex(), "ident": format_ident(group.ident)}
    answer(data, f"group {data['sa']} of provider {data['ident']}", as_data=as_data)


def new_card(
    *,
    path: Path,
    card_file: Path,
    ua: bytes | None,
    group: list[bytes] | None,
    empty: bool,
    as_data: bool,
) -> None:
    """Make the file of a new card, and print the table for cccamd.toml that serves it."""
    ua = ua or bytes(3) + secrets.token_bytes(5)
    issued = IssuedCard(key=secrets.token_bytes(KEY_LENGTH), groups=tuple(group or ()))
    with _failing_plainly():
        head_end = read_key_file(path, HeadEnd).with_card(ua, issued)
        keys = head_end.card_keys(ua, with_service_keys=not empty)
        _save_new(card_file, keys)
        replace_key_file(path, head_end)
    table = _card_table(keys, card_file)
    data = {"file": str(card_file), "ua": keys.ua.hex(), "toml": table}
    answer(data, table, as_data=as_data)


def _card_table(keys: CardKeys, card_file: Path) -> str:
    idents = sorted({group.ident for group in keys.groups.values()}) or [Ident(0)]
    providers = ", ".join(f'"{format_ident(ident)}"' for ident in idents)
    return (
        f"# card {keys.ua.hex()}\n"
        f'[[card]]\nkind = "open"\ncaid = "{format_caid(keys.caid)}"\n'
        f'providers = [{providers}]\nkeys = "{card_file.name}"'
    )


def ecm(
    *,
    path: Path,
    key_id: int,
    sid: int,
    period: int | None,
    cw: bytes | None,
    show_cw: bool,
    as_data: bool,
) -> None:
    """Print an ECM as hex."""
    if period is None:
        period = int(time.time()) // PERIOD_SECONDS
    words = ControlWords(cw or with_checksums(secrets.token_bytes(CW_LENGTH)))
    header = EcmHeader(sid=Sid(sid), key_id=key_id, period=period)
    with _failing_plainly():
        made = read_key_file(path, HeadEnd).make_ecm(
            header, words, nonce=secrets.token_bytes(NONCE_LENGTH)
        )
    shown = {"ecm": made.hex(), **({"cw": words.raw.hex()} if show_cw else {})}
    answer(shown, "\n".join(shown.values()), as_data=as_data)


def emm(
    *,
    path: Path,
    card: bytes | None,
    group: bytes | None,
    to_all: bool,
    set_key: list[int] | None,
    revoke: list[int] | None,
    as_data: bool,
) -> None:
    """Print an EMM as hex: it gives cards service keys, or takes them away."""
    with _failing_plainly():
        to, address = _addressee(card, group, to_all=to_all)
        head_end = read_key_file(path, HeadEnd)
        commands: tuple[KeyCommand, ...] = (
            *(head_end.set_command(key_id) for key_id in set_key or ()),
            *(RevokeKey(key_id) for key_id in revoke or ()),
        )
        nonce = secrets.token_bytes(NONCE_LENGTH)
        head_end, made = head_end.make_emm(to, address, commands, nonce=nonce)
        replace_key_file(path, head_end)  # first: no serial is ever used twice
    answer({"emm": made.hex()}, made.hex(), as_data=as_data)


def _addressee(card: bytes | None, group: bytes | None, *, to_all: bool) -> tuple[Addressee, bytes]:
    chosen = [
        *([(Addressee.CARD, card)] if card else []),
        *([(Addressee.GROUP, group)] if group else []),
        *([(Addressee.ALL, b"")] if to_all else []),
    ]
    if len(chosen) != 1:
        raise CasError("say whom the EMM is for: one of --card, --group and --all")
    return chosen[0]


def show(*, card_file: Path, as_data: bool) -> None:
    """Show what a card file holds, without its keys."""
    with _failing_plainly():
        keys = read_key_file(card_file, CardKeys)
    now = datetime.now(UTC)
    answer(_card_data(keys, now), "\n".join(_card_lines(keys, now)), as_data=as_data)


def _card_lines(keys: CardKeys, now: datetime) -> Iterator[str]:
    yield f"card {keys.ua.hex()} of CAID {format_caid(keys.caid)}"
    yield f"last EMM to the card {keys.card.serial}, to all {keys.all.serial}"
    for sa, group in keys.groups.items():
        ident = format_ident(group.ident)
        yield f"group {sa.hex()} of provider {ident}, last EMM {group.serial}"
    for key_id, service_key in sorted(keys.service_keys.items()):
        state = "good until" if now < service_key.expires else "expired"
        yield f"service key {format_key_id(key_id)}, {state} {format_time(service_key.expires)}"


def _card_data(keys: CardKeys, now: datetime) -> dict[str, object]:
    return {
        "ua": keys.ua.hex(),
        "caid": format_caid(keys.caid),
        "last_emm": {"card": keys.card.serial, "all": keys.all.serial},
        "groups": [
            {"sa": sa.hex(), "ident": format_ident(group.ident), "last_emm": group.serial}
            for sa, group in keys.groups.items()
        ],
        "service_keys": [
            {
                "id": format_key_id(key_id),
                "expires": key.expires.isoformat(),
                "expired": now >= key.expires,
            }
            for key_id, key in sorted(keys.service_keys.items())
        ],
    }
