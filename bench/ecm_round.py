"""Time one ECM round of the protocol core: decrypt a request, encrypt its answer.

    .venv/bin/python bench/ecm_round.py

It prints the median over repetitions, in microseconds on one core, beside the floor: the
RC4 calls of a round alone, on the library that the core uses. No sockets, no routing.
"""

import statistics
import time
from collections.abc import Callable

from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.values import ControlWords, Request, with_checksums
from cccamd.wire.cccam import (
    Capabilities,
    ClientProtocol,
    ServerProtocol,
    make_node_id,
    serialize_ecm,
)
from cccamd.wire.cccam.keystream import keystream
from cccamd.wire.link import LoginRequested, Requested

ECM_LENGTH = 150
ROUNDS = 20_000
REPETITIONS = 7
CW = ControlWords(with_checksums(bytes(range(16))))
SHARE = ShareId(0x64)


def logged_in(*, extended: bool) -> tuple[ServerProtocol, ClientProtocol]:
    """Join two protocol objects up to the end of their login."""
    offer = Capabilities.EXT if extended else Capabilities.NONE
    node_id = make_node_id(b"seed")
    server = ServerProtocol(
        node_id=node_id, program="bench", random=bytes(range(12)), now=0.0, offer=offer
    )
    client = ClientProtocol(
        user=b"bench", password=b"bench", node_id=node_id, program="bench", now=0.0, offer=offer
    )
    while carry(server, client) or carry(client, server):
        for event in server.events_received():
            if isinstance(event, LoginRequested):
                server.authenticate(b"bench")
    assert client.extended is extended
    return server, client


Side = ServerProtocol | ClientProtocol


def carry(source: Side, target: Side) -> bool:
    """Move what one side has to send to the other."""
    data = source.data_to_send()
    if data:
        target.receive_data(data, 0.0)
    return bool(data)


def requests(client: ClientProtocol, rounds: int) -> list[bytes]:
    """Encrypt the requests beforehand: only the server's side is timed."""
    request = Request(Caid(0x7F00), Ident(10), SHARE, Sid(1), bytes(ECM_LENGTH))
    payload = serialize_ecm(request)
    wires = []
    for number in range(rounds):
        client._send(number & 0xFF, 0x01, payload)
        wires.append(client.data_to_send())
    return wires


def time_server(*, extended: bool) -> float:
    """Seconds for one round, request in to answer out."""
    server, client = logged_in(extended=extended)
    wires = requests(client, ROUNDS)
    started = time.perf_counter()
    for wire in wires:
        server.receive_data(wire, 1.0)
        for event in server.events_received():
            if isinstance(event, Requested):
                server.answer(event.token, CW)
        server.data_to_send()
    return (time.perf_counter() - started) / ROUNDS


def time_floor(*, extended: bool) -> float:
    """Seconds for the RC4 calls of one round and nothing else."""
    update = keystream(bytes(range(20)))
    lengths = (4, 13 + ECM_LENGTH, 20) + (() if extended else (16,))
    pieces = [bytes(length) for length in lengths]
    started = time.perf_counter()
    for _ in range(ROUNDS):
        for piece in pieces:
            update(piece)
    return (time.perf_counter() - started) / ROUNDS


def median_microseconds(measure: Callable[[], float]) -> float:
    """Repeat a measurement and take the median, in microseconds."""
    return statistics.median(measure() for _ in range(REPETITIONS)) * 1e6


def main() -> None:
    """Print the figures."""
    print(f"one ECM round of {ECM_LENGTH} bytes, median of {REPETITIONS} x {ROUNDS:,} rounds")
    for name, extended in (("plain", False), ("extended", True)):
        core = median_microseconds(lambda extended=extended: time_server(extended=extended))
        floor = median_microseconds(lambda extended=extended: time_floor(extended=extended))
        print(f"  {name:9} core {core:5.2f} us    RC4 calls alone {floor:5.2f} us")


if __name__ == "__main__":
    main()
