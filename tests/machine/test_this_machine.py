"""What the small functions that touch the system really see."""

import errno
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.machine import (
    FileState,
    ask_time,
    clock,
    first_barrier,
    holder_of,
    look_at_node_id,
    try_to_bind,
    user_numbered,
    way_to,
)
from cccamd.machine.clock import servers_in
from cccamd.machine.ports import ListeningSocket, Process, in_the_way, parse_users, read_process
from cccamd.machine.processor import waited_for_processor
from cccamd.machine.resources import read_limit, read_resources
from cccamd.machine.users import unit_user

DAY = 86_400


@given(st.ip_addresses(), st.integers(1, 65_535), st.integers(0, 2**31))
def test_lines_of_proc_net_tcp(address: object, port: int, uid: int) -> None:
    packed = ip_address(str(address)).packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    digits = "".join(f"{word:08X}" for word in words)
    line = f"   0: {digits}:{port:04X} {digits}:0000 0A 0:0 00:0 0 {uid} 0 17 1 0 100 0"
    connected = line.replace(" 0A ", " 01 ").replace(f":{port:04X}", ":FFFF")
    found = parse_users(f"  sl  local_address ...\n{connected}\n{line}\n")
    assert found == {(ip_address(str(address)), port): uid}


def test_our_own_listening_socket_is_found_with_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = holder_of(port, ["0.0.0.0"])
        assert found is not None
        assert found.process == read_process(os.getpid())
        assert (found.user, found.is_ours) == (user_numbered(os.geteuid()).name, False)
        assert try_to_bind(port, ["127.0.0.1"]) == errno.EADDRINUSE
    assert holder_of(port, ["0.0.0.0"]) is None
    assert try_to_bind(port, ["127.0.0.1"]) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can hide from others")
def test_the_user_of_a_process_that_hides_is_known() -> None:
    code = (
        "import os, sys; from cccamd.machine import holder_of; os.setresuid(65534, 65534, 65534);"
        "print(holder_of(int(sys.argv[1]), ['127.0.0.1']).user)"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-c", code, str(server.getsockname()[1])]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "root"


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
    assert look_at_node_id(path).state is state


def test_a_node_id_file_that_is_older_than_the_system_was_copied(tmp_path: Path) -> None:
    path, machine_id = tmp_path / "node-id", tmp_path / "machine-id"
    path.write_text("380ceca0f39150d3\n")
    machine_id.write_text("x")
    os.utime(path, (0, time.time() - 30 * DAY))
    assert look_at_node_id(path, machine_id=machine_id).older_by == pytest.approx(30 * DAY, abs=60)


@contextmanager
def time_server(*, lie: float = 0.0, stratum: int = 2) -> Iterator[str]:
    """A time server on the loopback interface that is `lie` seconds off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)

        def serve() -> None:
            request, client = sock.recvfrom(100)
            now = clock.pack_request(time.time() + lie)[40:]
            head = bytes([0x24, stratum, 0, 0]).ljust(24, b"\0")
            sock.sendto(head + request[40:48] + now + now, client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{sock.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize("lie", [0.0, 3600.0, -60.0])
def test_a_clock_that_is_off(lie: float) -> None:
    with time_server(lie=lie) as server:
        assert ask_time([server]).offset == pytest.approx(lie, abs=0.5)


def test_a_time_server_that_does_not_know_is_passed_over() -> None:
    with time_server(stratum=0) as ignorant, time_server() as good:
        answer = ask_time([ignorant, good])
    assert answer.server == good
    assert answer.refusals == (f"{ignorant}: it does not know the time itself",)


def test_no_time_server_is_no_failure() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(clock.NoTime, match="no answer"):
            clock.ask_offset(f"127.0.0.1:{silent.getsockname()[1]}", timeout=0.05)
    refused = ask_time(["127.0.0.1:9", "a..b", "127.0.0.1:99999"])
    assert (refused.server, len(refused.refusals)) == ("", 3)


@given(st.binary(max_size=80))
def test_any_answer_is_a_time_or_refused(answer: bytes) -> None:
    try:
        clock.read_offset(answer, request=bytes(48), sent_at=0.0, received_at=0.0)
    except clock.NoTime:
        return
    assert len(answer) >= clock.PACKET_LENGTH


@given(st.floats(0, 4_000_000_000), st.floats(-86_400, 86_400))
def test_the_offset_survives_the_packing(now: float, off: float) -> None:
    request = clock.pack_request(now)
    stamp = clock.pack_request(now + off)[40:]
    answer = bytes([0x24, 1]).ljust(24, b"\0") + request[40:48] + stamp + stamp
    offset = clock.read_offset(answer, request=request, sent_at=now, received_at=now)
    if now + off >= 0:
        assert offset == pytest.approx(off, abs=1e-3)


def test_time_servers_of_a_machine() -> None:
    main = "[Time]\n#NTP=\nNTP=a b\nFallbackNTP=z\n"
    assert servers_in([main, "[Time]\nNTP=c\n", "rubbish"]) == ["a", "b", "c", "z"]
    assert servers_in([main, "[Time]\nNTP=\nNTP=d\n"]) == ["d", "z"]  # an empty one resets
    assert servers_in(["[Time]\n#NTP=x\n"]) == []


def test_texts_of_proc() -> None:
    limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024   4096   files\n"
    assert read_limit(limits, "Max open files") == 4096
    assert read_limit(limits.replace("4096", "unlimited"), "Max open files") is None


@pytest.mark.parametrize(
    ("theirs", "ours", "is_in_the_way"),
    [
        ("0.0.0.0", "0.0.0.0", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("192.168.1.5", "127.0.0.1", False),
        ("::", "0.0.0.0", True),
        ("::1", "127.0.0.1", False),
        ("0.0.0.0", "::", False),
    ],
)
def test_sockets_in_the_way(theirs: str, ours: str, is_in_the_way: bool) -> None:
    found = ListeningSocket(ip_address(theirs), 12000, 1)
    elsewhere = found._replace(port=12001)
    assert in_the_way(12000, (ours,), [elsewhere, found]) == [found] * is_in_the_way


CCCAM = Process(7, 0, ("/usr/bin/CCcam.x86", "-C", "/etc/CCcam.cfg"))
OURS = Process(8, 0, ("/usr/bin/python3", "/usr/bin/cccamd", "serve"))


def test_a_process_is_named_by_the_script_that_it_runs() -> None:
    assert (CCCAM.name, OURS.name) == ("CCcam.x86", "cccamd")
    assert (CCCAM.is_cccamd, OURS.is_cccamd) == (False, True)
    assert Process(9, 0, ("python3.11", "-m", "cccamd", "serve")).name == "cccamd"
    assert Process(9, 0, ("python3", "-c", "print(1)")).name == "python3"
    assert Process(9, 0, ()).name == "unknown"
    assert not Process(9, 0, ("/usr/bin/cccamd", "doctor")).is_cccamd


def test_the_user_of_a_unit() -> None:
    assert unit_user("[Service]\nUser=x\nUser = cccam\n") == "cccam"
    assert unit_user("[Service]\nExecStart=/bin/true\n") == "root"
    assert unit_user("[Service]\nDynamicUser=yes\n") == "cccamd"


def test_without_proc_it_is_not_known_how_many_files_are_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def gone(path: str) -> list[str]:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)

    monkeypatch.setattr(os, "listdir", gone)
    assert read_resources({"the log": tmp_path / "log"}).files_open == 0


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="Linux tells it")
def test_how_long_a_thread_waited_for_its_processor() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    rival = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=-1
    )
    try:
        assert rival.stdout is not None
        rival.stdout.readline()
        began, waited, worked = time.monotonic(), waited_for_processor(), time.thread_time()
        while time.thread_time() < worked + 0.05:
            pass
        waited, passed = waited_for_processor() - waited, time.monotonic() - began
    finally:
        os.sched_setaffinity(0, before)
        rival.kill()
        rival.communicate()
    assert 0.0 < waited <= passed
    assert passed - waited < 0.5 * passed + 0.05
