"""What makes a server a node of a fleet: its desk, its seats, its bans and limits."""

from collections.abc import Callable

from cccamd.cards import Card
from cccamd.fleet.leases import Leases
from cccamd.ids import NodeId
from cccamd.server.fleetbans import FleetBans
from cccamd.server.fleetdesk import FleetDesk
from cccamd.server.fleetseats import FleetSeats
from cccamd.server.membership import Membership
from cccamd.server.sessioncontext import SessionContext
from cccamd.setup.logins import Accounts


class FleetNode:
    """The parts that talk to the engine, begun and ended together."""

    def __init__(
        self,
        membership: Membership,
        context: SessionContext,
        *,
        node_id: NodeId,
        is_constant: Callable[[Card], bool],
        carried_out: Callable[[str, str], None],
    ) -> None:
        """From now on an account is in at one node only, as far as `context` lets anybody in."""
        self.desk = FleetDesk(
            membership=membership,
            node_id=node_id,
            exchange=context.exchange,
            table=context.table,
            emm_gate=context.emm_gate,
            tasks=context.tasks,
            is_constant=is_constant,
            on_cards_changed=context.on_list_due,
            carried_out=carried_out,
            on_failure=context.on_failure,
        )
        perform = self.desk.engine.perform
        leases = Leases(membership.node, membership.seals)
        self._seats = context.fleet_seats = FleetSeats(leases, context, perform)
        self._bans = FleetBans(
            membership.node,
            membership.seals,
            penalties=context.penalties,
            door_log=context.records.door_log,
            fair=context.fair,
            trusts=self.desk.claims.trusts,
            perform=perform,
        )
        self.desk.listeners += [self._seats.handle, self._bans.handle]

    async def start(self, accounts: Accounts) -> None:
        """Call the engine."""
        await self.desk.adopt(accounts)
        await self._bans.start()
        self.desk.start()

    async def adopt(self, accounts: Accounts) -> None:
        """Go over to what the files say now."""
        await self.desk.adopt(accounts)

    def leave(self) -> None:
        """Say goodbye to the other nodes."""
        self.desk.leave()

    def close(self) -> None:
        """Do nothing more: everybody has gone."""
        self._seats.close()
        self._bans.close()
