"""The demonstration: a broadcast, a real server with a card, a real client, a viewer."""

import asyncio
import os
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from cccamd.errors import CccamdError
from cccamd.ids import Caid
from cccamd.lab.demo.broadcast import Broadcast, CardClient
from cccamd.lab.demo.client import connect
from cccamd.lab.demo.dvbapi import connect_dvbapi
from cccamd.lab.demo.picture import count_frames, make_clip, require_av
from cccamd.lab.demo.receiver import Receiver
from cccamd.lab.demo.report import DemoReport, ManyReports, Report, open_screen
from cccamd.lab.demo.scrambler import CaSettings, Scrambler
from cccamd.lab.demo.server import DemoServer, run_server
from cccamd.lab.demo.subscription import FEWEST_PERIODS, Renewal, Subscription
from cccamd.lab.ts import require_csa

CAID = Caid(0x7F00)
"""Of no CA system, and treated specially by no program."""
ECM_PID, EMM_PID = 0x0300, 0x0301
SPEED = 2.0
"""How many seconds of stream go by in a second."""
VALIDITY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the demonstration is to be run."""

    output: Path
    """The folder for the two streams; made if missing."""
    seconds: float
    """Length of the stream."""
    period: float
    """Length of a crypto period in seconds of stream."""
    fast: bool
    """As fast as the answers come, instead of `SPEED`."""
    renewal: bool
    """Begin with an empty card, and let the key expire in the end."""
    dvbapi: bool = False
    """Ask as a set-top box over dvbapi, and not as a CCcam client."""
    newcamd: bool = False
    """Ask as a newcamd client, and not as a CCcam client."""
    services: int = 1
    """How many are watched at once; more than one only over dvbapi."""

    @property
    def duration(self) -> float | None:
        """Seconds that the broadcast takes; None: as many as it needs."""
        return None if self.fast else self.seconds / SPEED

    def scrambled_path(self, number: int) -> Path:
        """The stream of a service as sent."""
        return self._path("scrambled", number)

    def clear_path(self, number: int) -> Path:
        """The stream of a service as descrambled."""
        return self._path("clear", number)

    def _path(self, name: str, number: int) -> Path:
        return self.output / (f"{name}.ts" if number == 1 else f"{name}-{number}.ts")


async def run(options: Options, console: Console) -> Report:
    """Run the demonstration from beginning to end.

    Raises:
        CccamdError: something is missing on this machine, the options do not fit together, or
            the server did not come up.
        OSError: the streams cannot be written.
    """
    require_csa()
    require_av()
    _check(options)
    with console.status("Making the test picture ..."):
        clip = make_clip(options.seconds)
    broadcasts = await _broadcast(clip.stream, options, console)
    with console.status("Playing what was received ..."):
        reports = [
            DemoReport(
                broadcast=broadcast,
                period=options.period,
                made=clip.frames,
                played=count_frames(options.clear_path(number).read_bytes()),
                clear_path=options.clear_path(number),
                scrambled_path=options.scrambled_path(number),
                renewal=options.renewal,
            )
            for number, broadcast in enumerate(broadcasts, 1)
        ]
    return reports[0] if len(reports) == 1 else ManyReports(tuple(reports))


def _check(options: Options) -> None:
    if options.renewal and options.seconds < FEWEST_PERIODS * options.period:
        raise CccamdError(f"the story with an EMM takes {FEWEST_PERIODS} crypto periods or more")
    if options.renewal and options.dvbapi:
        raise CccamdError(
            "the story with an EMM is for CCcam: over dvbapi a server asks for EMMs after the"
            " first control words, and without the EMM there are none"
        )
    if options.newcamd and options.dvbapi:
        raise CccamdError("--newcamd and --dvbapi are two ways to watch: take one")
    if options.services > 1 and not options.dvbapi:
        raise CccamdError("one CCcam client watches one service here: more are for --dvbapi")


async def _broadcast(stream: bytes, options: Options, console: Console) -> list[Broadcast]:
    subscription = Subscription(CAID, expires=datetime.now(UTC).replace(microsecond=0) + VALIDITY)
    card = subscription.make_card(paid=not options.renewal)
    options.output.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="cccamd-demo-"))
        starting = run_server(Path(folder), card, dvbapi=options.dvbapi, newcamd=options.newcamd)
        server = await stack.enter_async_context(starting)
        receivers = [Receiver(CAID) for _ in range(options.services)]
        viewers, faults = await _connect(stack, server, receivers, options)
        broadcasts = [
            _prepare(stack, subscription, receiver, viewer, options, number)
            for number, (receiver, viewer) in enumerate(zip(receivers, viewers, strict=True), 1)
        ]
        first = broadcasts[0]
        screen = stack.enter_context(open_screen(console))
        renewal = Renewal(subscription, first.scrambler, duration=options.duration)

        async def at(done: float) -> None:
            screen.show(first, done)
            if options.renewal:
                await renewal.at(done)

        async def go_on(done: float) -> None:
            """The others are not shown."""

        await _together(
            broadcast.run(stream, duration=options.duration, at=at if broadcast is first else go_on)
            for broadcast in broadcasts
        )
        first.failures += faults
    return broadcasts


async def _together(works: Iterable[Coroutine[None, None, None]]) -> None:
    """Do all of it at once; what goes wrong with one ends all."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _connect(
    stack: AsyncExitStack, server: DemoServer, receivers: Sequence[Receiver], options: Options
) -> tuple[list[CardClient], list[str]]:
    """Who asks for each service, and a list in which a set-top box notes what was wrong."""
    if not options.dvbapi:
        return [await stack.enter_async_context(connect(server, caid=CAID))], []
    link = await stack.enter_async_context(connect_dvbapi(server))
    viewers = [link.viewer(adapter, receiver) for adapter, receiver in enumerate(receivers)]
    return list(viewers), link.box.faults


def _prepare(
    stack: AsyncExitStack,
    subscription: Subscription,
    receiver: Receiver,
    viewer: CardClient,
    options: Options,
    number: int,
) -> Broadcast:
    settings = CaSettings(caid=CAID, ecm_pid=ECM_PID, emm_pid=EMM_PID, period=options.period)
    return Broadcast(
        Scrambler(settings, make_ecm=subscription.make_ecm, random_bytes=os.urandom),
        receiver,
        viewer,
        scrambled_file=stack.enter_context(options.scrambled_path(number).open("wb")),
        clear_file=stack.enter_context(options.clear_path(number).open("wb")),
    )
