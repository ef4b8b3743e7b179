"""Run the simulation (docs/simulation.md) over many seeds, on all processors.

    simulate.py                      1,000 seeds, from 0 on, most of them of the kind with all in it
    simulate.py --first 5000 --seeds 200 --kind +
    simulate.py --hours 8            as many as it takes
    simulate.py --seed 1048++        one, with its happenings and the end of its trace
    simulate.py --fleet              200 seeds of a fleet of servers
    simulate.py --seeds 5000 --keep FILE    for a night: can be ended and goes on where it was

The first seed that fails ends it: its happenings are told, without those that do not matter. A
night goes on, and names in the end those that failed.
"""

import argparse
import gc
import json
import multiprocessing
import signal
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "simulation"))

import simplan
import simworld
from simfleet import FleetResult, live_through_fleet, shrink_fleet
from simfleetplan import fleet_happenings, is_fleet
from simplan import Happening
from simworld import Result, shrink

TAIL = 25
BATCH = 200
MIXED = 50
"""Of so many seeds, one is of each kind of old."""
MIXED_FLEETS = 10
"""The same of fleets."""
KINDS = "what plays along (tests/simulation/simplan.py); mixed: mostly all of it"


def main() -> int:
    """Run; 1 when a seed fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Raw)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, help="how many (1000; 200 of fleets)")
    parser.add_argument("--kind", choices=("", "+", "++", "mixed"), default="mixed", help=KINDS)
    parser.add_argument("--fleet", action="store_true", help="fleets, whose seeds end with f")
    parser.add_argument("--hours", type=float, help="go on for so long instead")
    parser.add_argument("--seed", help="only this one, in detail")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="where it keeps how far it is")
    args = parser.parse_args()
    if args.seed is not None:
        return _tell(live_through(args.seed), without=[])
    kind = "fff" if args.fleet else args.kind
    until = None if args.hours is None else time.monotonic() + 3600 * args.hours
    seeds = args.seeds or (200 if args.fleet else 1000)
    last = None if until is not None else args.first + seeds
    so_far = SoFar(args.first)
    if args.keep is not None and args.keep.exists():
        so_far = SoFar(**json.loads(args.keep.read_text()))
        print(f"going on at seed {so_far.next}, as {args.keep} says", flush=True)
    began, before = time.monotonic(), so_far.done
    with multiprocessing.get_context("spawn").Pool(initializer=_begin) as pool:
        try:
            for batch in _batches(so_far.next, last, until, kind):
                for result in pool.imap_unordered(live_through, batch, 5):
                    so_far.add(result)
                    if result.violation is not None and args.keep is None:
                        pool.terminate()
                        return _tell_smaller(result)
                so_far.next += len(batch)
                if args.keep is not None:
                    args.keep.write_text(json.dumps(asdict(so_far)))
                if so_far.done % 1000 == 0:
                    _report(so_far, so_far.done - before, began)
        except KeyboardInterrupt:
            pool.terminate()
            print(f"ended before seed {so_far.next} was done", flush=True)
            return 130
    if args.keep is not None:
        args.keep.unlink(missing_ok=True)  # the next night begins anew
    _report(so_far, so_far.done - before, began)
    return int(bool(so_far.failed))


@dataclass
class SoFar:
    """How far a run has come."""

    next: int
    """The first seed of the batch that is next."""
    done: int = 0
    answers: int = 0
    events: int = 0
    failed: list[str] = field(default_factory=list)

    def add(self, result: Result | FleetResult) -> None:
        self.done += 1
        self.answers += result.answers
        self.events += result.events
        if result.violation is not None:
            self.failed.append(result.seed)
            print(f"seed {result.seed} fails: {result.violation}", flush=True)


def live_through(seed: str, *, without: Collection[int] = ()) -> Result | FleetResult:
    """Run a seed of any kind."""
    if is_fleet(seed):
        return live_through_fleet(seed, without=without)
    return simworld.live_through(seed, without=without)


def happenings(seed: str) -> list[Happening]:
    """What will happen in it."""
    return fleet_happenings(seed) if is_fleet(seed) else simplan.happenings(seed)


def _batches(first: int, last: int | None, until: float | None, kind: str) -> Iterator[list[str]]:
    while (last is None or first < last) and (until is None or time.monotonic() < until):
        end = first + BATCH if last is None else min(first + BATCH, last)
        yield [f"{number}{_kind(number, kind)}" for number in range(first, end)]
        first = end


def _kind(number: int, kind: str) -> str:
    if kind == "fff":
        return {0: "f", MIXED_FLEETS // 2: "ff"}.get(number % MIXED_FLEETS, "fff")
    if kind != "mixed":
        return kind
    return {0: "", MIXED // 2: "+"}.get(number % MIXED, "++")


def _begin() -> None:
    """What a run makes is garbage when it is over, and not much: it is looked for seldom."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _tell_smaller(result: Result | FleetResult) -> int:
    """Tell of a failure with as few happenings as it needs."""
    print(f"seed {result.seed} fails: {result.violation}")
    print("leaving out what does not matter:", flush=True)
    left_out = (shrink_fleet if is_fleet(result.seed) else shrink)(result.seed)
    return _tell(live_through(result.seed, without=left_out), without=left_out)


def _report(so_far: SoFar, done: int, began: float) -> None:
    took = time.monotonic() - began
    what = f"{so_far.done} seeds, {done} of them in {took:.0f} s ({done / took:.1f} a second)"
    broken = f"these fail: {' '.join(so_far.failed)}" if so_far.failed else "nothing broken"
    print(f"{what}: {so_far.answers} CWs, {so_far.events} events, {broken}", flush=True)


def _tell(result: Result | FleetResult, *, without: list[int]) -> int:
    for number, each in enumerate(happenings(result.seed)):
        if number not in without:
            print(each)
    print("\n".join(line[:240] for line in result.tail[-TAIL:]))
    print(f"seed {result.seed}: {result.violation or 'nothing broken'}")
    return int(result.violation is not None)


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the description."""


if __name__ == "__main__":
    sys.exit(main())
