"""The CA system of the demonstration: one service key, one card that it reaches by an EMM.

See docs/open-cas.md.
"""

import asyncio
import os
from datetime import UTC, datetime, timedelta

from cccamd.ids import Caid, Sid
from cccamd.lab.cas import (
    KEY_LENGTH,
    NONCE_LENGTH,
    Addressee,
    CardKeys,
    EcmHeader,
    HeadEnd,
    IssuedCard,
    ManagementKey,
    ServiceKey,
)
from cccamd.lab.demo.scrambler import CwPeriod, Scrambler
from cccamd.values import UA_LENGTH

KEY_ID = 1
EMM_AT = 0.25
EXPIRED_AT = 0.55
"""Parts of the stream. The viewer stays clear for up to two more crypto periods then, because
each ECM brings the next CW too."""
FEWEST_PERIODS = 8
"""Below that there might be no ECM between the two, or no dark packet after them."""
SHORTEST_VALIDITY = 1.0
"""Seconds: without pauses between chunks, time for a few ECMs."""


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

    def make_ecm(self, period: CwPeriod, *, sid: Sid) -> bytes:
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


class Renewal:
    """The longer story: dark, then an EMM brings the key, clear, then the key expires, dark.

    Sends the EMM and waits for the expiry, at their places in the stream.
    """

    def __init__(
        self, subscription: Subscription, scrambler: Scrambler, *, duration: float | None
    ) -> None:
        self._subscription = subscription
        self._scrambler = scrambler
        self._validity = max(SHORTEST_VALIDITY, (duration or 0) * (EXPIRED_AT - EMM_AT))
        self.expires: datetime | None = None
        """When the key ends; None before the EMM."""

    async def at(self, done: float) -> None:
        """Do what is due when this part of the stream is done."""
        if self.expires is None and done >= EMM_AT:
            self.expires = _whole_second_after(self._validity)
            self._scrambler.send_emm(self._subscription.make_emm(expires=self.expires))
        elif self.expires is not None and done >= EXPIRED_AT:
            left = self.expires - datetime.now(UTC)
            await asyncio.sleep(left.total_seconds())


def _whole_second_after(seconds: float) -> datetime:
    """Cards count in whole seconds."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.replace(microsecond=0) + timedelta(seconds=1)
