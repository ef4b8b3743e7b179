"""docs/open-cas.md section 8, both ways, and once with nothing but AES-GCM."""

import re
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cccamd.ids import Caid, Sid
from cccamd.lab.cas import (
    Addressee,
    CardKeys,
    EcmHeader,
    EmmHeader,
    RevokeKey,
    ServiceKey,
    SetKey,
    decode,
    learn,
    seal_ecm,
    seal_emm,
)
from cccamd.values import ControlWords

DOCUMENT = (Path(__file__).parents[2] / "docs" / "open-cas.md").read_text()
ECM, EMM = (bytes.fromhex(text) for text in re.findall(r"```\n([0-9a-f]+)\n```", DOCUMENT))
CARD = CardKeys.parse(re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)[0])
PARTS = [bytes.fromhex(text) for text in re.findall(r"\| `([0-9a-f]+)` \|", DOCUMENT)]
CAID = Caid(0xFF01)
WORDS = ControlWords(bytes.fromhex("010203060405060f070809180a0b0c21"))
EXPIRY = datetime(2026, 11, 22, 10, tzinfo=UTC)
EARLIER = datetime(2026, 11, 22, 9, tzinfo=UTC)
NEW_KEY = bytes.fromhex("202122232425262728292a2b2c2d2e2f")


def test_the_card_decodes_and_learns() -> None:
    assert decode(CARD, ECM, sid=Sid(0x1D80), now=EARLIER) == WORDS
    learnt = learn(CARD, EMM)
    assert learnt.service_keys == {3: ServiceKey(key=NEW_KEY, expires=EXPIRY)}
    assert learnt.card.serial == 5


def test_the_head_end_makes_the_same_sections() -> None:
    nonce = bytes.fromhex("a0a1a2a3a4a5a6a7a8a9aaab")
    key = CARD.service_keys[3].key
    assert seal_ecm(EcmHeader(Sid(0x1D80), 3, 7), WORDS, caid=CAID, key=key, nonce=nonce) == ECM
    nonce = bytes.fromhex("b0b1b2b3b4b5b6b7b8b9babb")
    header = EmmHeader(Addressee.CARD, CARD.ua, 5)
    commands = (SetKey(3, NEW_KEY, EXPIRY), RevokeKey(2))
    assert seal_emm(header, commands, caid=CAID, key=CARD.card.key, nonce=nonce) == EMM


def test_the_parts_of_the_tables() -> None:
    opened, label, ciphertext, tag, emm_opened, emm_label, emm_commands = PARTS
    assert opened + ECM[12:24] + ciphertext + tag == ECM
    service = AESGCM(bytes.fromhex("000102030405060708090a0b0c0d0e0f"))
    assert service.decrypt(ECM[12:24], ciphertext + tag, label + opened) == WORDS.raw
    management = AESGCM(bytes.fromhex("101112131415161718191a1b1c1d1e1f"))
    assert management.decrypt(EMM[20:32], EMM[32:], emm_label + emm_opened) == emm_commands
