"""Inside of a network namespace (`test_dead_ways.py`): a server behind a router of its own.

The server lives in a second namespace, its upstream and its clients in this one. `router restarts`:
from one moment on each packet of the connections that exist is dropped without a word, as by a
router that has forgotten them, and new ones are as always. `address changes`: the server's machine
has another address from one moment on, as after a new lease. Prints what came of it, as JSON.
"""

import asyncio
import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from house import House, until
from laboratory import ask, connect, expected_cw

from cccamd.net import ConnectError
from cccamd.wire.cccam import Target

OURS, THEIRS, NEW = "192.168.7.2", "192.168.7.9", "192.168.7.10"
BEFORE, AFTER = (2000, 2999), (3000, 3999)
"""The own ports of connections that are made before and after the fault."""


def command(*words: str) -> None:
    subprocess.run(words, check=True)


class Place:
    """Both namespaces, and what runs there."""

    def __init__(self, folder: Path, box: str) -> None:
        self.in_box = ("nsenter", "-t", box, "-n")
        self.far = self._house(folder / "far", OURS, "F: me secret\n")
        line = f"F: anna secret\nC: {OURS} {self.far.port} me secret\n"
        self.near = self._house(folder / "near", THEIRS, line)
        self.near.toml.write_text("[server]\n")
        self.far.toml.write_text(self.far.toml.read_text().replace("127.0.0.1", OURS))
        self.own_ports(*BEFORE)

    def _house(self, folder: Path, host: str, lines: str) -> House:
        folder.mkdir()
        house = House(folder)
        house.host = host
        house.write(lines)
        return house

    def own_ports(self, first: int, last: int) -> None:
        """Let connections that are made from now on have these ports at their own end."""
        text = f"echo {first} {last} > /proc/sys/net/ipv4/ip_local_port_range"
        command("sh", "-c", text)
        command(*self.in_box, "sh", "-c", text)

    def router_restarts(self) -> None:
        self.own_ports(*AFTER)
        first, last = BEFORE
        for where in ((), self.in_box):
            command(*where, "nft", "add", "table", "inet", "wall")
            hook = "{ type filter hook input priority 0; }"
            command(*where, "nft", "add", "chain", "inet", "wall", "in", hook)
            for end in ("sport", "dport"):
                rule = ("tcp", end, f"{first}-{last}", "drop")
                command(*where, "nft", "add", "rule", "inet", "wall", "in", *rule)

    def address_changes(self) -> None:
        command(*self.in_box, "ip", "address", "del", f"{THEIRS}/24", "dev", "box")
        command(*self.in_box, "ip", "address", "add", f"{NEW}/24", "dev", "box")
        self.near.host = NEW

    async def act(self, fault: str) -> dict[str, Any]:
        near = self.near
        target = Target(host=near.host, port=near.port, user=b"anna", password=b"secret")
        old = await connect(target)
        await old.wait_until(lambda: bool(old.cards), timeout=10.0)
        ecm = b"\x80before"
        assert await ask(old, ecm) == expected_cw(ecm)
        getattr(self, fault)()
        began = time.monotonic()
        within: dict[str, float] = {}
        while len(within) < 3:  # as receivers do: again and again
            assert time.monotonic() - began < 120, f"only {within}: {near.said()}"
            for what, try_it in (("login", self.login), ("page", self.page), ("CW", near.watch)):
                if what not in within:
                    with suppress(ConnectError, ConnectionError, TimeoutError, OSError):
                        await try_it()
                        within[what] = time.monotonic() - began
        with suppress(AssertionError):
            sources = {"source silent", "source down"}
            over = lambda: not sources & set(near.is_wrong())  # noqa: E731
            await asyncio.to_thread(until, over, within=60)
        told = [each["cause"] for each in near.api("incidents")["incidents"]]
        with suppress(ConnectError, ConnectionError, TimeoutError, OSError):
            await asyncio.wait_for(old.close(), 1.0)
        return {"within": within, "said": near.said(), "incidents": told, "wrong": near.is_wrong()}

    async def login(self) -> None:
        near = self.near
        target = Target(host=near.host, port=near.port, user=b"anna", password=b"secret")
        async with asyncio.timeout(5.0):
            client = await connect(target)
            await client.close()

    async def page(self) -> None:
        await asyncio.to_thread(self.near.api, "status")


def main() -> None:
    folder, box, fault = sys.argv[1:]
    place = Place(Path(folder), box)
    with place.far.serving(), place.near.serving(place.in_box):
        until(place.near.is_watched)
        print(json.dumps(asyncio.run(place.act(fault))))


if __name__ == "__main__":
    main()
