"""What an open card does with its keys: decode ECMs, learn from EMMs.

Source: docs/open-cas.md sections 4 to 6. Values in, values out; the caller has the clock and
the file.
"""

from datetime import datetime

from cccamd.ids import Sid, format_key_id, format_sid
from cccamd.lab.cas.ecm import parse_sealed_ecm
from cccamd.lab.cas.emm import Addressee, EmmHeader, KeyCommand, SetKey, parse_sealed_emm
from cccamd.lab.cas.keys import CardKeys, ManagementKey, ServiceKey, format_time
from cccamd.lab.cas.section import CasError
from cccamd.values import ControlWords


def decode(keys: CardKeys, ecm: bytes, *, sid: Sid, now: datetime) -> ControlWords:
    """Turn an ECM into control words. `sid` 0: the client did not say which service.

    Raises:
        CasError: for another service, no such key, the key expired, or not authentic.
    """
    parsed = parse_sealed_ecm(ecm)
    header = parsed.header
    if sid and sid != header.sid:
        raise CasError(
            f"the ECM is for service {format_sid(header.sid)}, asked was {format_sid(sid)}"
        )
    service_key = _find_service_key(keys, header.key_id)
    if now >= service_key.expires:
        raise CasError(
            f"service key {format_key_id(header.key_id)} expired {format_time(service_key.expires)}"
        )
    return parsed.unseal(service_key.key, caid=keys.caid)


def _find_service_key(keys: CardKeys, key_id: int) -> ServiceKey:
    try:
        return keys.service_keys[key_id]
    except KeyError:
        held = ", ".join(map(format_key_id, sorted(keys.service_keys))) or "none"
        raise CasError(
            f"service key {format_key_id(key_id)} is not on the card; it holds {held}"
        ) from None


def learn(keys: CardKeys, emm: bytes) -> CardKeys:
    """Return what the card knows after an EMM.

    Raises:
        CasError: for other cards, seen before, or not authentic; the card stays as it is.
    """
    parsed = parse_sealed_emm(emm)
    header = parsed.header
    management = _find_management_key(keys, header)
    if header.serial <= management.serial:
        raise CasError(f"serial {header.serial} is not above {management.serial}: seen before")
    commands = parsed.unseal(management.key, caid=keys.caid)
    return _with_serial(keys, header).replace(service_keys=_execute(keys, commands))


def _find_management_key(keys: CardKeys, header: EmmHeader) -> ManagementKey:
    if header.to is Addressee.ALL:
        return keys.all
    if header.to is Addressee.CARD and header.address == keys.ua:
        return keys.card
    if header.to is Addressee.GROUP and header.address in keys.groups:
        return keys.groups[header.address]
    raise CasError(f"for {header.to.name.lower()} {header.address.hex()}, which this card is not")


def _with_serial(keys: CardKeys, header: EmmHeader) -> CardKeys:
    if header.to is Addressee.ALL:
        return keys.replace(all=keys.all.replace(serial=header.serial))
    if header.to is Addressee.CARD:
        return keys.replace(card=keys.card.replace(serial=header.serial))
    group = keys.groups[header.address].replace(serial=header.serial)
    return keys.replace(groups=keys.groups | {header.address: group})


def _execute(keys: CardKeys, commands: tuple[KeyCommand, ...]) -> dict[int, ServiceKey]:
    held = dict(keys.service_keys)
    for command in commands:
        if isinstance(command, SetKey):
            held[command.key_id] = ServiceKey(key=command.key, expires=command.expires)
        else:
            held.pop(command.key_id, None)
    return held
