"""The lines of the log: names for cards, requests and peers; causes that are told, and counted."""

import asyncio
import logging
import time
import traceback
from typing import Any, Final

from cccamd.facts import Clone
from cccamd.ids import (
    NodeId,
    format_caid,
    format_ident,
    format_node_id,
    format_service,
    format_share_id,
)
from cccamd.net import (
    AcceptEnded,
    AcceptEvent,
    AcceptPaused,
    Ban,
    NoEntry,
    PairedPeer,
    origin_of,
)
from cccamd.routing import CloneDetector, NodeHolder
from cccamd.setup.toml import is_local
from cccamd.values import Offer, Request
from cccamd.watch import Throttle, followed
from cccamd.why import CLONE_CHANGE, ClosedDoor, clone_text
from cccamd.wire.link import Closed, Peer


def describe_card(card: Offer) -> str:
    """`card 0000006A 0B00:030B00 hop 1 reshare 2`."""
    idents = ",".join(format_ident(provider.ident) for provider in card.providers) or "-"
    name = f"card {format_share_id(card.share_id)} {format_caid(card.caid)}:{idents}"
    return f"{name} hop {card.hop} reshare {card.reshare}"


def describe_request(request: Request) -> str:
    """`0B00:030B00:1D80 (share 0000006A, 150 bytes)`."""
    service = format_service(request.caid, request.ident, request.sid)
    return f"{service} (share {format_share_id(request.share_id)}, {len(request.section)} bytes)"


TEXT_LIMIT = 80


def shorten(text: str) -> str:
    """Cut what a peer says to what fits into a line."""
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT] + "..."


def describe_peer(peer: Peer) -> str:
    """`version 2.3.0 build 3367, v2, node id 380ceca0f39150d3`; what it has not is left out.

    Who has no node id is what it calls itself: `tvheadend 4.3, version dvbapi 2`.
    """
    version = f"version {peer.version}" if peer.version else ""
    build = f"build {peer.build}" if peer.build else ""
    parts = [
        shorten(peer.program) if peer.node_id is None else "",
        " ".join(word for word in (version, build) if word),
        peer.revision.value if peer.revision is not None else "",
        f"node id {format_node_id(peer.node_id)}" if peer.node_id is not None else "",
    ]
    return ", ".join(part for part in parts if part) or "it says nothing of itself"


def describe_way(paired: PairedPeer | None) -> str:
    """`; by TLS, paired as attic`; nothing for a link of the old kind."""
    return f"; by TLS, paired as {paired.name}" if paired is not None else ""


def describe_program(peer: Peer) -> str:
    """`is OSCam v1.20, capabilities EXT SID SLP`."""
    capabilities = " ".join(peer.capabilities) or "none"
    return f"is {shorten(peer.program) or 'a program without a name'}, capabilities {capabilities}"


log = logging.getLogger("cccamd.server")


class CloneWatch:
    """The detector with a voice."""

    def __init__(self, own_node_id: NodeId) -> None:
        self._detector = CloneDetector(own_node_id)
        self._throttle = Throttle(others=own_node_id)

    def clones(self) -> tuple[Clone, ...]:
        """Those that are there now."""
        return self._detector.clones()

    def clock_was_set(self, step: float, now: float) -> None:
        """The wall clock was set by so many seconds, and shows `now`."""
        self._detector.clock_was_set(lambda at: followed(at, step, now))

    def seen(self, node_id: NodeId, holder: NodeHolder) -> None:
        """A peer says that this is its node id."""
        now = time.time()
        clone = self._detector.seen(node_id, holder, now)
        self._throttle.ended(now)
        if clone is not None and self._throttle.admits(node_id, now):
            log.warning("%s; %s", clone_text(clone), CLONE_CHANGE)

    def gone(self, node_id: NodeId, holder: NodeHolder) -> None:
        """A peer has left."""
        self._detector.gone(node_id, holder, time.time())


login_log = logging.getLogger("cccamd.login")
"""LOG WARNINGS writes these lines to a file of their own."""

OTHER_CALLERS: Final = ("many other addresses", "various reasons")
STRANGERS: Final = 200
"""Sources and reasons that are told apart within a minute: some hundred lines, however many
addresses knock. The own networks have a book of their own, in which no stranger takes a line."""
LOGINS: Final = 30
"""Of one account that are told within a minute, with all that belongs to them."""

FULL_TOLD: Final = 60.0
"""Seconds for which somebody who found no place counts: those who wait try again by then."""
_ALL_DOORS: Final = "the server"


class DoorLog:
    """Names address and reason of each failed login, and counts them when they are many."""

    def __init__(self) -> None:
        self._near: Throttle[tuple[str, str]] = Throttle(others=OTHER_CALLERS)
        self._strange: Throttle[tuple[str, str]] = Throttle(others=OTHER_CALLERS, keys=STRANGERS)
        self._logins: Throttle[str] = Throttle(others="many other accounts", burst=LOGINS)
        self._shut: dict[str, ClosedDoor] = {}
        self._full_at = 0.0
        """When somebody was turned away last because as many are in as may be."""
        self._loop = asyncio.get_running_loop()

    @property
    def shut(self) -> tuple[ClosedDoor, ...]:
        """The ports that take no new connection now."""
        if self._loop.time() - self._full_at > FULL_TOLD:
            self._shut.pop(_ALL_DOORS, None)
        return tuple(self._shut.values())

    def clock_was_set(self, step: float, now: float) -> None:
        """The wall clock was set by so many seconds, and shows `now`."""
        for door, shut in self._shut.items():
            self._shut[door] = shut._replace(since=followed(shut.since, step, now))

    def refused(self, address: str, refusal: NoEntry) -> bool:
        """A connection was closed before the first byte; whether that was worth a line."""
        if refusal is NoEntry.FULL:
            self._full_at = self._loop.time()
            if _ALL_DOORS not in self._shut:
                reason = "as many are logged in as may be"
                self._shut[_ALL_DOORS] = ClosedDoor(_ALL_DOORS, reason, time.time(), is_full=True)
        is_news = self.admits(address, refusal.value)
        if is_news:
            login_log.warning("%s: not let in: %s", address, refusal.value)
        return is_news

    def admits(self, address: str, cause: str) -> bool:
        """Whether a line of this kind, which clients may cause as they like, is to be written."""
        throttle = self._near if is_local(address) else self._strange
        return throttle.admits((origin_of(address).source, cause), self._loop.time())

    def admits_login(self, account: str) -> bool:
        """Whether a client that has logged in is told of: it may come and go as it likes."""
        return self._logins.admits(account, self._loop.time())

    def failed(self, name: str, address: str, closed: Closed) -> bool:
        """A connection ended before its login did; whether that was worth a line."""
        is_news = self.admits(address, closed.reason.value)
        if is_news:
            login_log.warning("%s: no login: %s", name, closed)
        return is_news

    def accepting(self, event: AcceptEvent) -> None:
        """Accepting connections at a door pauses, or goes on."""
        self._shut.pop(event.door, None)
        if isinstance(event, AcceptEnded):
            return
        if isinstance(event, AcceptPaused):
            self._shut[event.door] = ClosedDoor(event.door, event.reason, time.time())
            cause = "no connection could be accepted"
            text = f"no connection can be accepted ({event.reason}): new ones wait in the queue"
        else:
            cause = "connections were accepted again"
            text = f"connections are accepted again, after {event.seconds:.1f} s"
        if self._near.admits((event.door, cause), self._loop.time()):
            login_log.warning("%s: %s", event.door, text)

    def wrong_login(self, address: str, port: str) -> None:
        """Somebody gave a wrong user name or password for the web pages or for telnet."""
        if self.admits(address, f"{port}: wrong login"):
            login_log.warning("%s: no login: wrong user name or password for %s", address, port)

    def banned(self, ban: Ban) -> None:
        """Nobody is let in from there for a while."""
        if self._strange.admits((ban.who, "banned"), self._loop.time()):
            until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + ban.seconds))
            text = "%s: banned until %s: too many logins from there failed"
            login_log.warning(text, ban.who, until)

    def sum_up(self) -> None:
        """Tell how many more there were."""
        now = self._loop.time()
        for (address, reason), count in (*self._near.ended(now), *self._strange.ended(now)):
            login_log.warning("%s: %d more within a minute: %s", address, count, reason)
        for account, count in self._logins.ended(now):
            log.warning("%s: %d more within a minute: logins, not told one by one", account, count)


_OTHER_PLACES: Final = "errors in many other places"


class FailureLog:
    """Tells what failed, why, and where in the program; no traceback reaches a person.

    Everything that calls into sessions, cards, links and pages reports here what they raise:
    an error of ours may cost whoever it happened to, and nobody else.
    """

    def __init__(self) -> None:
        self._throttle = Throttle(others=_OTHER_PLACES)
        self._loop = asyncio.get_running_loop()

    def report(self, name: str, error: BaseException) -> None:
        """`name` says what was being done, or for whom."""
        place = _place(error)
        what = f"{type(error).__name__}{place}"
        if self._throttle.admits(what, self._loop.time()):
            log.error("internal error in %s: %s: %s", name, what, error)
            log.debug("it happened here:", exc_info=error)

    def report_from_loop(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What the event loop itself has to report."""
        message = str(context.get("message", "the event loop"))
        self.report("the event loop", context.get("exception") or RuntimeError(message))

    def sum_up(self) -> None:
        """Tell how many more there were."""
        for what, count in self._throttle.ended(self._loop.time()):
            log.error("internal error: %d more within a minute: %s", count, what)


def _place(error: BaseException) -> str:
    """` in session.py:120`; empty for an error that was never raised."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    return f" in {last.filename.rpartition('/')[2]}:{last.lineno}"
