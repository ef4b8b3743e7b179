"""Inside of a network namespace (`test_network_outages.py`): a router that goes and comes back.

The server lives in this one; its three sources in the box behind the router, in another network.
`router_gone`: it answers nothing any more, not even for its own address. Prints what was told.
"""

import asyncio
import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from house import House, until

from cccamd.lab.ports import free_port
from messagebox import mailbox_of_its_own

SOURCES = 3


def command(*words: str) -> None:
    subprocess.run(words, check=True)


def wrong(near: House) -> list[tuple[str, str, str]]:
    found = near.api("incidents")["incidents"]
    found = [each for each in found if each["cause"] != "server paused"]
    return [(each["cause"], each["text"], "over" if each["ended_at"] else "open") for each in found]


def main() -> None:
    folder, box = Path(sys.argv[1]), sys.argv[2]
    in_box = ("nsenter", "-t", box, "-n")
    told: dict[str, Any] = {}
    with ExitStack() as stack:
        letters = stack.enter_context(mailbox_of_its_own())
        lines = "F: anna secret\n"
        for number in range(SOURCES):
            host = f"10.99.0.{number + 1}"
            (folder / host).mkdir()
            far = House(folder / host)
            far.host, far.port = host, free_port()
            far.toml.write_text(far.toml.read_text().replace("127.0.0.1", host))
            far.write("F: me secret\n")
            stack.enter_context(far.serving(in_box))
            lines += f"C: {host} {far.port} me secret\n"
        (folder / "near").mkdir()
        near = House(folder / "near")
        near.write(lines)
        near.toml.write_text(f'[notify]\nurls = ["{letters.url}"]\nafter = 45\n')
        stack.enter_context(near.serving())
        until(near.is_watched)
        until(lambda: all(each["state"] == "up" for each in near.api("status")["sources"]))
        command(*in_box, "nft", "add", "rule", "inet", "wall", "in", "drop")
        command(*in_box, "ip", "link", "set", "box", "arp", "off")
        command("ip", "neigh", "flush", "dev", "house")
        began = time.monotonic()
        while time.monotonic() - began < 75:
            try:
                asyncio.run(near.watch())
            except Exception:  # no picture, as is to be expected
                time.sleep(0.5)
        told["during"] = wrong(near)
        told["messages"] = [
            each["title"] for each in letters.got if "server paused" not in each["title"]
        ]
        command(*in_box, "nft", "flush", "chain", "inet", "wall", "in")
        command(*in_box, "ip", "link", "set", "box", "arp", "on")
        until(lambda: all(each["state"] == "up" for each in near.api("status")["sources"]))
        until(lambda: not any(each[2] == "open" for each in wrong(near)))
        told["after"] = wrong(near)
        told["said"] = near.said()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
