"""What somebody may do to a running server by hand; each thing is logged, and in the journal."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from cccamd.acting import Answer, LinkAct, Status
from cccamd.errors import NumberError
from cccamd.ids import parse_address
from cccamd.net import Penalties
from cccamd.server.observers import Observers
from cccamd.server.snapshot import ShownClient
from cccamd.server.upstreams import Upstreams, UpstreamSource
from cccamd.watch import OperatorActed
from cccamd.wire.link import CloseReason

log = logging.getLogger("cccamd.control")


class Acts:
    """`by`, everywhere: who does it, for log and journal."""

    def __init__(
        self,
        *,
        clients: Callable[[], Iterable[ShownClient]],
        upstreams: Upstreams,
        penalties: Penalties,
        observers: Observers,
    ) -> None:
        self._clients = clients
        self._upstreams = upstreams
        self._penalties = penalties
        self._observers = observers
        self._links = asyncio.Lock()
        """A link is paused or resumed by one after the other."""

    def note(self, by: str, what: str, account: str = "") -> None:
        """Write down what was done."""
        log.info("%s: done by %s", what, by, extra={"account": account})
        now = self._observers.now()
        self._observers.tell(OperatorActed(at=now, who=by, what=what, account=account))

    def kick(self, whom: str, by: str) -> Answer:
        """End the connections of an account, or those from an address, with or without a port."""
        clients = list(self._clients())
        of_account = [each for each in clients if each.record.user == whom]
        chosen = of_account or [
            each for each in clients if whom in (each.record.address, each.record.peer)
        ]
        if not chosen:
            return Answer(status=Status.NOT_DONE, text=f"nobody is connected as or from {whom}")
        gone = [f"{each.record.user or '?'} ({each.record.peer})" for each in chosen]
        self.note(by, f"sent away {', '.join(gone[:10])}", chosen[0].record.user)
        for each in chosen:
            each.connection.close(CloseReason.KICKED)
        return Answer(text=f"sent away: {', '.join(gone)}", data={"kicked": gone})

    def unban(self, who: str, by: str) -> Answer:
        """Forget the failed logins of an address or network."""
        try:
            parse_address(who.partition("/")[0])
        except NumberError as error:
            return Answer(status=Status.UNUSABLE, text=str(error))
        if not self._penalties.forget(who):
            return Answer(status=Status.NOT_DONE, text=f"no login from {who} has failed lately")
        self.note(by, f"forgot the failed logins from {who}")
        return Answer(text=f"{who} may log in again at once")

    async def change_link(self, act: LinkAct, name: str, by: str) -> Answer:
        """Restart, pause or resume the links of this name."""
        async with self._links:
            chosen = self._links_named(name)
            if not chosen:
                known = ", ".join(sorted(each.name for _, each in self._upstreams.sources()))
                text = f"there is no link to {name}; there are {known or 'none at all'}"
                return Answer(status=Status.NOT_DONE, text=text)
            if act is LinkAct.RESUME and not any(each.is_paused for each in chosen):
                return Answer(status=Status.NOT_DONE, text=f"{chosen[0].name} is not paused")
            for each in chosen:
                if act is not LinkAct.RESUME:
                    await each.pause()
                if act is not LinkAct.PAUSE:
                    each.resume()
        names = list(dict.fromkeys(each.name for each in chosen))
        done = {
            LinkAct.RESTART: "restarted",
            LinkAct.PAUSE: "paused",
            LinkAct.RESUME: "resumed",
        }[act]
        self.note(by, f"link {done}: {', '.join(names)}")
        return Answer(text=f"{done}: {', '.join(names)}", data={"links": names})

    def _links_named(self, name: str) -> list[UpstreamSource]:
        sources = [source for _, source in self._upstreams.sources()]
        exact = [each for each in sources if each.name == name]
        return exact or [each for each in sources if each.upstream.line.host == name]
