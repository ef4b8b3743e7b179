"""What the small functions that touch the system really see."""

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.doctor import sntp
from cccamd.doctor.clock import ask_time, judge_clock
from cccamd.doctor.finding import Verdict
from cccamd.doctor.node_id import FileState, look_at_file
from cccamd.doctor.permissions import first_barrier, user_numbered, way_to
from cccamd.doctor.processes import listening_sockets, owners, parse_listening, read_process

DAY = 86_400


@given(st.ip_addresses(), st.integers(1, 65_535), st.integers(0, 2**31), st.integers(1, 2**40))
def test_lines_of_proc_net_tcp(address: object, port: int, uid: int, inode: int) -> None:
    packed = ip_address(str(address)).packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    digits = "".join(f"{word:08X}" for word in words)
    line = f"   0: {digits}:{port:04X} {digits}:0000 0A 0:0 00:0 0 {uid} 0 {inode} 1 0 100 0"
    connected = line.replace(" 0A ", " 01 ")
    (found,) = parse_listening(f"  sl  local_address ...\n{connected}\n{line}\n")
    assert found == (ip_address(str(address)), port, uid, inode)


def test_our_own_listening_socket_is_found_with_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = (one for one in listening_sockets() if one.port == port)
        assert owners([found.inode])[found.inode] == read_process(os.getpid())
        assert found.uid == os.geteuid()


def test_a_folder_on_the_way_keeps_a_user_out(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    file = closed / "CCcam.cfg"
    file.write_text("F: a b")
    stranger = user_numbered(54_321)
    barrier = first_barrier(way_to(file), stranger)
    assert barrier is not None
    assert barrier.name in {str(parent) for parent in file.parents}
    assert first_barrier(way_to(file), user_numbered(os.geteuid())) is None


@pytest.mark.parametrize(
    ("text", "state"),
    [("380ceca0f39150d3\n", FileState.GOOD), ("", FileState.CORRUPT), (None, FileState.MISSING)],
)
def test_the_node_id_file(tmp_path: Path, text: str | None, state: FileState) -> None:
    path = tmp_path / "node-id"
    if text is not None:
        path.write_text(text)
    assert look_at_file(path).state is state


def test_a_node_id_file_that_is_older_than_the_system_was_copied(tmp_path: Path) -> None:
    path, machine_id = tmp_path / "node-id", tmp_path / "machine-id"
    path.write_text("380ceca0f39150d3\n")
    machine_id.write_text("x")
    os.utime(path, (0, time.time() - 30 * DAY))
    assert look_at_file(path, machine_id=machine_id).older_by == pytest.approx(30 * DAY, abs=60)


@contextmanager
def time_server(*, lie: float = 0.0, stratum: int = 2) -> Iterator[str]:
    """A time server on the loopback interface that is `lie` seconds off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)

        def serve() -> None:
            request, client = sock.recvfrom(100)
            now = sntp.pack_request(time.time() + lie)[40:]
            head = bytes([0x24, stratum, 0, 0]).ljust(24, b"\0")
            sock.sendto(head + request[40:48] + now + now, client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{sock.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("lie", "verdict", "words"),
    [
        (0.0, Verdict.OK, "within 0.0 s"),
        (3600.0, Verdict.WARNING, "3,600 s behind"),
        (-60.0, Verdict.WARNING, "60 s ahead of"),
    ],
)
def test_a_clock_that_is_off(lie: float, verdict: Verdict, words: str) -> None:
    with time_server(lie=lie) as server:
        found = judge_clock(ask_time([server]), synchronised=None)
    assert found.verdict is verdict
    assert words in found.evidence


def test_a_time_server_that_does_not_know_is_passed_over() -> None:
    with time_server(stratum=0) as ignorant, time_server() as good:
        answer = ask_time([ignorant, good])
    assert answer.server == good
    assert answer.refusals == (f"{ignorant}: it does not know the time itself",)


def test_no_time_server_is_no_failure() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(sntp.NoTime, match="no answer"):
            sntp.ask(f"127.0.0.1:{silent.getsockname()[1]}", timeout=0.05)
    assert judge_clock(ask_time(["127.0.0.1:9"]), synchronised=None).verdict is Verdict.NOT_CHECKED
    assert ask_time(["a..b", "127.0.0.1:99999"]).server == ""


@given(st.binary(max_size=80))
def test_any_answer_is_a_time_or_refused(answer: bytes) -> None:
    try:
        sntp.read_offset(answer, request=bytes(48), sent_at=0.0, received_at=0.0)
    except sntp.NoTime:
        return
    assert len(answer) >= sntp.PACKET_LENGTH


@given(st.floats(0, 4_000_000_000), st.floats(-86_400, 86_400))
def test_the_offset_survives_the_packing(now: float, off: float) -> None:
    request = sntp.pack_request(now)
    stamp = sntp.pack_request(now + off)[40:]
    answer = bytes([0x24, 1]).ljust(24, b"\0") + request[40:48] + stamp + stamp
    offset = sntp.read_offset(answer, request=request, sent_at=now, received_at=now)
    if now + off >= 0:
        assert offset == pytest.approx(off, abs=1e-3)
