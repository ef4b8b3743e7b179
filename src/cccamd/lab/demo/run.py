"""The demonstration: a broadcast, a real server with a card, a real client, a viewer."""

import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from cccamd.errors import CccamdError
from cccamd.ids import Caid
from cccamd.lab.demo.broadcast import Broadcast
from cccamd.lab.demo.client import connect
from cccamd.lab.demo.picture import count_frames, make_clip, require_av
from cccamd.lab.demo.receiver import Receiver
from cccamd.lab.demo.report import DemoReport, open_screen
from cccamd.lab.demo.scrambler import CaSettings, Scrambler
from cccamd.lab.demo.server import run_server
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

    @property
    def duration(self) -> float | None:
        """Seconds that the broadcast takes; None: as many as it needs."""
        return None if self.fast else self.seconds / SPEED

    @property
    def scrambled_path(self) -> Path:
        """The stream as sent."""
        return self.output / "scrambled.ts"

    @property
    def clear_path(self) -> Path:
        """The stream as descrambled."""
        return self.output / "clear.ts"


async def run(options: Options, console: Console) -> DemoReport:
    """Run the demonstration from beginning to end.

    Raises:
        CccamdError: something is missing on this machine, the options do not fit together, or
            the server did not come up.
        OSError: the streams cannot be written.
    """
    require_csa()
    require_av()
    if options.renewal and options.seconds < FEWEST_PERIODS * options.period:
        raise CccamdError(f"the story with an EMM takes {FEWEST_PERIODS} crypto periods or more")
    with console.status("Making the test picture ..."):
        clip = make_clip(options.seconds)
    broadcast = await _broadcast(clip.stream, options, console)
    with console.status("Playing what was received ..."):
        played = count_frames(options.clear_path.read_bytes())
    return DemoReport(
        broadcast=broadcast,
        period=options.period,
        made=clip.frames,
        played=played,
        clear_path=options.clear_path,
        scrambled_path=options.scrambled_path,
        renewal=options.renewal,
    )


async def _broadcast(stream: bytes, options: Options, console: Console) -> Broadcast:
    subscription = Subscription(CAID, expires=datetime.now(UTC).replace(microsecond=0) + VALIDITY)
    settings = CaSettings(caid=CAID, ecm_pid=ECM_PID, emm_pid=EMM_PID, period=options.period)
    scrambler = Scrambler(settings, make_ecm=subscription.make_ecm, random_bytes=os.urandom)
    renewal = Renewal(subscription, scrambler, duration=options.duration)
    card = subscription.make_card(paid=not options.renewal)
    options.output.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        scrambled_file = stack.enter_context(options.scrambled_path.open("wb"))
        clear_file = stack.enter_context(options.clear_path.open("wb"))
        folder = stack.enter_context(TemporaryDirectory(prefix="cccamd-demo-"))
        server = await stack.enter_async_context(run_server(Path(folder), card))
        client = await stack.enter_async_context(connect(server, caid=CAID))
        screen = stack.enter_context(open_screen(console))
        broadcast = Broadcast(
            scrambler,
            Receiver(CAID),
            client,
            scrambled_file=scrambled_file,
            clear_file=clear_file,
        )

        async def at(done: float) -> None:
            screen.show(broadcast, done)
            if options.renewal:
                await renewal.at(done)

        await broadcast.run(stream, duration=options.duration, at=at)
    return broadcast
