"""Move the bytes of many clients, with as little of the processor as Python can."""

import gc
import os
import random
import select
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

from cccamd.wire.cccam import ClientProtocol
from cccamd.wire.link import Closed, Introduced, OfferAdded
from rig.clients import Asker, Receiver

CHUNK = 65536
LAST_ANSWERS = 6.0
"""Seconds for what is still on its way when the clock has stopped: over any deadline."""
PATIENCE = 120.0
RETRY = (0.5, 1.5)
"""Seconds until a receiver that was not let in tries again."""


@contextmanager
def no_garbage() -> Iterator[None]:
    """Have no collector of our own in the figures."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def log_in(
    receivers: Sequence[Receiver],
    port: int,
    *,
    rate: float = 1000.0,
    want_card: bool = True,
    then_say: bytes | None = None,
    patience: float = PATIENCE,
) -> list[Receiver]:
    """Log all in, so many a second, and wait for their first card or the server's data only.

    Those that are thrown out try again, as receivers do. `then_say`: keepalive frames to send once
    the server's data is there. Returns those who got in.
    """
    poll, by_fd = select.epoll(), {}
    began = perf_counter()
    due = deque((began + number / rate, each) for number, each in enumerate(receivers))
    inside: list[Receiver] = []
    with no_garbage():
        while len(inside) < len(receivers) and (now := perf_counter()) < began + patience:
            while due and due[0][0] <= now:
                each = due.popleft()[1]
                each.begin(port, now)
                by_fd[each.fd] = each
                poll.register(each.fd, select.EPOLLIN)
            wait = min(0.1, max(0.0, due[0][0] - now)) if due else 0.1
            for fd, _ in poll.poll(wait):
                each = by_fd[fd]
                alive = _hear(each, want_card=want_card, then_say=then_say)
                if alive is None:
                    continue
                poll.unregister(fd)
                del by_fd[fd]
                if alive:
                    inside.append(each)
                else:
                    again_at = perf_counter() + random.uniform(*RETRY)
                    due.append((again_at, each))
                    if len(due) > 1 and due[-2][0] > again_at:
                        due = deque(sorted(due, key=lambda pair: pair[0]))
    poll.close()
    return inside


def _hear(each: Receiver, *, want_card: bool, then_say: bytes | None) -> bool | None:
    """Take in what came; True: it is inside, False: it was thrown out, None: not yet."""
    try:
        data = os.read(each.fd, CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return False
    if not data:
        return False
    now = perf_counter()
    protocol: ClientProtocol = each.protocol
    protocol.receive_data(data, now)
    for event in protocol.events_received():
        if isinstance(event, Closed):
            return False
        if isinstance(event, Introduced):
            each.login.introduced = now
            if then_say is not None:
                protocol.send_keepalive()
        elif isinstance(event, OfferAdded):
            each.login.carded = now
            each.knows(event.offer.share_id)
    if said := protocol.data_to_send():
        try:
            os.write(each.fd, said)
        except OSError:
            return False
    reached = each.login.carded if want_card else each.login.introduced
    return True if reached is not None else None


def settle(receivers: Sequence[Receiver]) -> None:
    """Take in what else came after the login, so that only answers come from now on."""
    for each in receivers:
        try:
            while data := os.read(each.fd, CHUNK):
                each.protocol.receive_data(data, perf_counter())
                each.protocol.events_received()
        except OSError:
            continue


def connect(askers: Sequence[Asker], port: int) -> None:
    """Connect without any login."""
    poll = select.epoll()
    for each in askers:
        each.connect(port)
        poll.register(each.fd, select.EPOLLOUT | select.EPOLLONESHOT)
    left = len(askers)
    while left:
        left -= len(poll.poll(10.0)) or left
    poll.close()


def ask_in_turn(askers: Sequence[Asker], seconds: float) -> float:
    """Each asks its next one as soon as it was answered. Returns the seconds it took.

    It ends early when somebody has no more requests ready.
    """
    by_fd = {each.fd: each for each in askers}
    requests = {each.fd: iter(each.requests) for each in askers}
    asked_at: dict[int, float] = {}
    length = dict.fromkeys(by_fd, 0)
    poll = select.epoll()
    read, write, clock = os.read, os.write, perf_counter
    with no_garbage():
        began = clock()
        end = began + seconds
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
            asked_at[fd] = clock()
            write(fd, next(requests[fd]))
            by_fd[fd].sent += 1
        now = began
        while now < end:
            for fd, _ in poll.poll(0.2):
                each = by_fd[fd]
                data = _read(read, fd)
                now = clock()
                each.received.append(data)
                whole = each.answer_length
                if len(data) != whole or length[fd]:
                    if not data:
                        poll.unregister(fd)
                        continue
                    length[fd] += len(data)
                    if length[fd] < whole:
                        continue
                    length[fd] -= whole
                each.times.append(now - asked_at[fd])
                request = next(requests[fd], None)
                if request is None:
                    end = min(end, now)
                elif now < end:
                    asked_at[fd] = clock()
                    write(fd, request)
                    each.sent += 1
            now = clock()
        took = now - began
        _drain(poll, by_fd)
    poll.close()
    return took


def ask_in_time(askers: Sequence[Asker], period: float, spread: float) -> float:
    """Each asks all it has, one every `period`, the first within `spread` of the start.

    Returns the seconds it took.
    """
    by_fd = {each.fd: each for each in askers}
    waiting: dict[int, deque[float]] = {fd: deque() for fd in by_fd}
    length = dict.fromkeys(by_fd, 0)
    poll = select.epoll()
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    due = sorted(
        (spread * number / len(askers) + period * index, each.fd, request)
        for number, each in enumerate(askers)
        for index, request in enumerate(each.requests)
    )
    read, write, clock = os.read, os.write, perf_counter
    with no_garbage():
        began, at = clock(), 0
        end = due[-1][0] + LAST_ANSWERS
        open_asks = 0
        while at < len(due) or open_asks:
            now = clock() - began
            if now > end:
                break
            while at < len(due) and due[at][0] <= now:
                _, fd, request = due[at]
                at += 1
                waiting[fd].append(clock())
                open_asks += 1
                by_fd[fd].sent += 1
                try:
                    write(fd, request)
                except OSError:
                    continue
            wait = due[at][0] - (clock() - began) if at < len(due) else 0.1
            for fd, _ in poll.poll(max(0.0, min(0.1, wait))):
                data = _read(read, fd)
                now = clock()
                if not data:
                    poll.unregister(fd)
                    continue
                each = by_fd[fd]
                each.received.append(data)
                answers, length[fd] = divmod(length[fd] + len(data), each.answer_length)
                for _ in range(answers):
                    if waiting[fd]:
                        each.times.append(now - waiting[fd].popleft())
                        open_asks -= 1
        took = clock() - began
    poll.close()
    return took


def _read(read, fd: int) -> bytes:  # type: ignore[no-untyped-def]
    try:
        return bytes(read(fd, CHUNK))
    except OSError:
        return b""


def _drain(poll: select.epoll, by_fd: dict[int, Asker]) -> None:
    """Take what is still on its way."""
    end = perf_counter() + LAST_ANSWERS
    left = sum(each.sent - len(each.times) for each in by_fd.values())
    while left > 0 and perf_counter() < end:
        for fd, _ in poll.poll(0.2):
            data = _read(os.read, fd)
            if not data:
                poll.unregister(fd)
                continue
            by_fd[fd].received.append(data)
            left -= len(data) // by_fd[fd].answer_length
