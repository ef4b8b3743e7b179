"""In the place of tvheadend: wants a service clear over dvbapi, and prints the keys of its streams.

dvbapistandin.py HOST PORT
"""

import asyncio
import sys
from pathlib import Path

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "server")]

from dvbapiclient import DvbapiClient, ecm, pmt
from laboratory import expected_cw

from cccamd.wire.dvbapi import ClientInfo

SID, PID = 1, 1001


async def main(host: str, port: int) -> None:
    """Watch one crypto period of one service."""
    client = DvbapiClient(*await asyncio.open_connection(host, port), 2)
    try:
        await client.say(ClientInfo(2, "Tvheadend"), pmt(SID, ecm_pid=PID, caid=0x0B00))
        await client.until(lambda: any(pid == PID for pid, _ in client.filters.values()))
        section = ecm(SID, 1)
        await client.broadcast(PID, section)
        await client.until(lambda: client.words_of(2002) == expected_cw(section).raw)
    finally:
        await client.close()
    print("clear")


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
