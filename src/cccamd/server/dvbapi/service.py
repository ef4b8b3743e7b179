"""One service that a dvbapi client wants clear, as whoever watches sees it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cccamd.facts import DescrambledService
from cccamd.ids import Caid, Ident, ShareId
from cccamd.net import Connection
from cccamd.server.record import ClientRecord
from cccamd.softcam import Selected
from cccamd.wire.dvbapi import ServiceId
from cccamd.wire.link import Peer

if TYPE_CHECKING:
    from cccamd.server.dvbapi.session import DvbapiSession


@dataclass(slots=True, kw_only=True)
class SelectedService:
    """What is told of it, and who is told."""

    session: "DvbapiSession"
    record: ClientRecord
    selected: Selected
    """What is done for it."""

    @property
    def identity(self) -> ServiceId:
        """What it is called within its connection."""
        return self.selected.programme.identity

    @property
    def connection(self) -> Connection[Any]:
        """The way to its client."""
        return self.session.connection

    @property
    def ended(self) -> bool:
        """Whether nobody wants it any more."""
        return self.session.ended

    @property
    def told(self) -> Collection[ShareId]:
        """The cards that may serve it."""
        return self.session.told

    @property
    def peer(self) -> Peer | None:
        """Who watches it."""
        return self.session.peer

    def describe(self) -> DescrambledService:
        """What may be seen of it."""
        usage = self.record.usage
        chosen = next((each.chosen for each in self.selected.sets if each.chosen), None)
        return DescrambledService(
            caid=chosen.caid if chosen else Caid(0),
            ident=chosen.ident if chosen else Ident(0),
            sid=self.identity.service,
            adapter=self.identity.adapter,
            ecm_pid=chosen.pid if chosen else 0,
            ecms_asked=usage.ecms_asked,
            ecms_answered=usage.ecms_answered,
            last_result=usage.last_result,
            last_source=usage.last_source,
            last_seconds=usage.last_seconds,
        )
