"""What an hour or more of soak.py came to: the slopes, and a verdict on each."""

import argparse
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

WARM_UP: Final = 1 / 6
"""The part of the run in which caches and pools fill, and nothing is judged."""
MEMORY_SLOPE: Final = 2.0
"""MiB an hour that still count as flat: a fragment of the heap, no leak of 30 receivers.

It is judged in the second half: in the first, what is remembered fills to its limits
(docs/operations.md)."""
SPARE: Final = 3
"""Descriptors and tasks at rest that may be more than before: a connection that lingers."""
LOG_GROWTH: Final = 1.5
"""How many times faster the log of the second half may grow than that of the first."""
MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Sample:
    """What the server looked like at one moment; bytes and seconds. -1: it did not say."""

    at: float
    rss: int
    descriptors: int
    threads: int
    tasks: int
    clients: int
    pending: int
    cpu: float
    log: int
    journal: int
    right: int


@dataclass(slots=True)
class Story:
    """All that is known after the run."""

    samples: list[Sample] = field(default_factory=list)
    rest_before: Sample | None = None
    """After the start, with nobody there."""
    rest_after: Sample | None = None
    """After everybody has left."""
    counts: Any = None
    log: str = ""
    ended: bool = False
    """Else this is what there is so far."""
    exit_status: int | None = None
    stopped_in: float = 0.0
    troubles: list[str] = field(default_factory=list)
    """What went wrong in the soak itself."""


def slope(samples: Sequence[Sample], value: Callable[[Sample], float]) -> float:
    """How much it grows in an hour, by least squares."""
    if len(samples) < 3:
        return 0.0
    line = statistics.linear_regression([each.at for each in samples], list(map(value, samples)))
    return 3600 * line.slope


Check = tuple[bool, str]
"""Whether it is as it should be, and a sentence with the figures."""


def checks(story: Story) -> Iterator[Check]:
    """All that is judged."""
    counts = story.counts
    yield counts.wrong == 0, f"wrong control words: {counts.wrong} of {counts.right:,} answers"
    yield counts.unanswered == 0, f"ECMs without any answer: {counts.unanswered}"
    yield (
        counts.refused_local == 0,
        f"ECMs of the server's own card that were refused: {counts.refused_local}",
    )
    yield counts.lost == 0, f"receivers thrown out: {counts.lost}"
    yield from _growth(story)
    if story.ended:
        yield from _rest(story)
    crashes = story.log.count("Traceback (most recent call last)")
    yield crashes == 0, f"tracebacks in the log: {crashes}"
    yield not story.troubles, f"faults of the soak itself: {story.troubles or 'none'}"


def _rest(story: Story) -> Iterator[Check]:
    left_in = f"exit status {story.exit_status} within {story.stopped_in:.1f} s of SIGTERM"
    yield story.exit_status == 0, left_in
    before, after = story.rest_before, story.rest_after
    if before is None or after is None:
        yield False, "the server did not live to rest"
        return
    for name in ("descriptors", "tasks", "threads", "clients", "pending"):
        was, now = getattr(before, name), getattr(after, name)
        spare = 40 if name == "threads" else SPARE  # a pool of threads fills once
        yield now <= was + spare, f"{name} at rest: {was} before, {now} after"


def _growth(story: Story) -> Iterator[Check]:
    later = story.samples[int(WARM_UP * len(story.samples)) :]
    if len(later) < 4:
        yield False, "too short to judge growth"
        return
    half = len(later) // 2
    filling, full = (
        slope(part, lambda each: each.rss / MIB) for part in (later[:half], later[half:])
    )
    low, high = (pick(each.rss for each in later) / MIB for pick in (min, max))
    yield (
        full <= MEMORY_SLOPE,
        f"memory after warm-up, {low:.1f} to {high:.1f} MiB: {filling:+.2f} MiB an hour in the"
        f" first half, {full:+.2f} in the second",
    )
    descriptors = slope(later, lambda each: each.descriptors - each.clients - each.pending)
    yield (
        abs(descriptors) <= SPARE,
        f"descriptors besides those of clients: {descriptors:+.1f} an hour",
    )
    middle = later[half]
    before, after = middle.log - later[0].log, later[-1].log - middle.log
    yield (
        after <= LOG_GROWTH * max(before, 1),
        f"log: {before / 1000:.0f} kB in the first half, {after / 1000:.0f} kB in the second",
    )


def report(story: Story, arguments: argparse.Namespace) -> tuple[str, bool]:
    """The page, and whether everything is as it should be."""
    judged = list(checks(story))
    sound = all(good for good, _ in judged)
    return "\n".join(_page(story, arguments, judged, sound)) + "\n", sound


def _page(
    story: Story, arguments: argparse.Namespace, judged: list[Check], sound: bool
) -> Iterator[str]:
    yield "# A soak: hours of load and faults at once\n"
    minutes = story.samples[-1].at / 60 if story.samples else 0
    so_far = "" if story.ended else " so far"
    verdict = f"{'Everything' if sound else 'Not everything'} is as it should be{so_far}."
    rate = "" if arguments.rate == 1 else f" at {arguments.rate:g} times the usual rate"
    skipped = f", without `{' '.join(arguments.skip)}`" if arguments.skip else ""
    yield (
        "Made by `make soak` (scripts/soak.py): a real run, nothing of it written by hand"
        " but a last section, if any."
        f" {minutes:.0f} minutes{rate},\n{arguments.receivers} receivers, seed {arguments.seed}"
        f"{skipped}."
        f" **{verdict}**\n"
    )
    yield "## Verdict\n"
    yield from (f"- {'ok' if good else '**NOT OK**'}: {text}" for good, text in judged)
    yield "\n## What happened\n"
    yield from _happened(story)
    yield "\n## How the server looked\n"
    yield from _table(story)
    yield "\n## Its log\n"
    yield from _log(story.log)


def _happened(story: Story) -> Iterator[str]:
    counts = story.counts
    yield "| what | how often |\n| --- | ---: |"
    rows: dict[str, int] = {
        "control words, all checked": counts.right + counts.wrong,
        "refusals while a source was in trouble": counts.refused_in_fault,
        "refusals while all sources were well": counts.refused,
        **dict(sorted(counts.done.items())),
    }
    yield from (f"| {name} | {number:,} |" for name, number in rows.items())


def _table(story: Story) -> Iterator[str]:
    if not story.samples:
        yield "No sample came: the server did not answer."
        return
    yield (
        "| minute | memory, MiB | descriptors | tasks | threads | clients | CPU, % | log, kB"
        " | journal, kB | right answers |\n" + "| ---: " * 10 + "|"
    )
    step = max(1, len(story.samples) // 15)
    shown = story.samples[::step]
    for before, each in zip([shown[0], *shown], shown, strict=False):
        passed = each.at - before.at
        cpu = 100 * (each.cpu - before.cpu) / passed if passed else 0.0
        yield (
            f"| {each.at / 60:.0f} | {each.rss / MIB:.1f} | {each.descriptors} | {each.tasks}"
            f" | {each.threads} | {each.clients} | {cpu:.1f} | {each.log / 1000:.0f}"
            f" | {each.journal / 1000:.0f} | {each.right:,} |"
        )


def _log(log: str) -> Iterator[str]:
    lines = log.splitlines()
    kinds = Counter(_kind(line) for line in lines)
    yield f"{len(lines):,} lines. The most frequent, numbers and names taken out:\n"
    yield "```"
    yield from (f"{number:6,}  {kind[:110]}" for kind, number in kinds.most_common(20))
    yield "```"


def _kind(line: str) -> str:
    """A line without what differs from one to the next."""
    text = re.sub(r"^\S+ \S+ ", "", line)
    text = re.sub(r"\b(receiver|guest)\d+", r"\1*", text)
    return re.sub(r"[0-9][0-9a-fA-F.:]*", "#", text)
