"""The CA system of the demonstration: one service key, one card (docs/open-cas.md)."""

import os
from datetime import datetime

from cccamd.ids import Caid, Sid
from cccamd.lab.cas import (
    KEY_LENGTH,
    NONCE_LENGTH,
    UA_LENGTH,
    Addressee,
    CardKeys,
    EcmHeader,
    HeadEnd,
    IssuedCard,
    ManagementKey,
    ServiceKey,
)
from cccamd.lab.demo.scrambler import CryptoPeriod

KEY_ID = 1


class Subscription:
    """What the broadcaster knows: seals control words, and renews the viewer's card."""

    def __init__(self, caid: Caid, *, expires: datetime) -> None:
        self._ua = bytes(3) + os.urandom(UA_LENGTH - 3)
        self._head_end = (
            HeadEnd(caid=caid, all=ManagementKey(key=os.urandom(KEY_LENGTH)))
            .with_service_key(KEY_ID, ServiceKey(key=os.urandom(KEY_LENGTH), expires=expires))
            .with_card(self._ua, IssuedCard(key=os.urandom(KEY_LENGTH)))
        )

    def make_card(self, *, paid: bool) -> CardKeys:
        """Make the viewer's card; one that is not paid for holds no service key."""
        return self._head_end.card_keys(self._ua, with_service_keys=paid)

    def make_ecm(self, period: CryptoPeriod, *, sid: Sid) -> bytes:
        """Seal the control words of a crypto period."""
        header = EcmHeader(sid=sid, key_id=KEY_ID, period=period.number)
        nonce = os.urandom(NONCE_LENGTH)
        return self._head_end.make_ecm(header, period.control_words, nonce=nonce)

    def make_emm(self, *, expires: datetime) -> bytes:
        """Make the EMM that brings the service key to the card, good until `expires`."""
        key = self._head_end.service_key(KEY_ID).replace(expires=expires)
        self._head_end = self._head_end.with_service_key(KEY_ID, key)
        command = self._head_end.set_command(KEY_ID)
        self._head_end, emm = self._head_end.make_emm(
            Addressee.CARD, self._ua, (command,), nonce=os.urandom(NONCE_LENGTH)
        )
        return emm
