"""Captures made of recorded sessions: packets as a network may show them, and files of them."""

import io
import json
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dpkt  # type: ignore[import-untyped]

from cccamd.decode import Decoder, read_packets
from cccamd.wire.overheard import Keyring, Record

FOLDER = Path(__file__).parent.parent / "data" / "sessions"
START = 1_800_000_000.0
SYN, ACK, FIN, RST = dpkt.tcp.TH_SYN, dpkt.tcp.TH_ACK, dpkt.tcp.TH_FIN, dpkt.tcp.TH_RST


@dataclass(frozen=True)
class Said:
    """What one side of a recorded session sent at once."""

    sender: str
    data: bytes


def said_in(name: str) -> list[Said]:
    """What a recorded session has, in its order."""
    recorded = json.loads((FOLDER / f"{name}.json").read_text())
    if "units" in recorded:
        return [Said(unit["from"], bytes.fromhex(unit["wire"])) for unit in recorded["units"]]
    frames = recorded["frames"]
    return [Said(each["from"], bytes.fromhex(each["wire_hex"])) for each in frames]


@dataclass(frozen=True)
class Sent:
    """One packet, and when it was seen."""

    at: float
    source: tuple[str, int]
    target: tuple[str, int]
    sequence: int
    acknowledged: int
    flags: int = ACK
    data: bytes = b""

    def frame(self) -> bytes:
        """The packet in Ethernet."""
        tcp = dpkt.tcp.TCP(
            sport=self.source[1],
            dport=self.target[1],
            seq=self.sequence % 2**32,
            ack=self.acknowledged % 2**32,
            flags=self.flags,
            data=self.data,
        )
        v6 = ":" in self.source[0]
        family = socket.AF_INET6 if v6 else socket.AF_INET
        ends = {
            "src": socket.inet_pton(family, self.source[0]),
            "dst": socket.inet_pton(family, self.target[0]),
        }
        ip = (
            dpkt.ip6.IP6(nxt=6, plen=len(tcp), data=tcp, **ends)
            if v6
            else dpkt.ip.IP(p=6, data=tcp, **ends)
        )
        ethernet = dpkt.ethernet.Ethernet(type=0x86DD if v6 else 0x0800, data=ip)
        return bytes(ethernet)


@dataclass
class Call:
    """One connection, whose packets are made as it goes on."""

    client: tuple[str, int] = ("192.168.1.20", 40_123)
    server: tuple[str, int] = ("192.168.1.2", 12_000)
    at: float = START
    size: int = 1400
    """Bytes of data in a packet at most."""
    every: float = 0.010
    """Seconds from one packet to the next."""
    numbers: dict[str, int] = field(default_factory=lambda: {"client": 7_000, "server": 2**32 - 40})
    packets: list[Sent] = field(default_factory=list)

    def send(self, sender: str, data: bytes = b"", flags: int = ACK) -> None:
        """Add a packet."""
        other = "server" if sender == "client" else "client"
        ends = {"client": self.client, "server": self.server}
        sequence, acknowledged = self.numbers[sender], self.numbers[other]
        self.at += self.every
        self.packets.append(
            Sent(self.at, ends[sender], ends[other], sequence, acknowledged, flags, data)
        )
        self.numbers[sender] += len(data) + bool(flags & (SYN | FIN))

    def connect(self) -> None:
        """The three packets before everything."""
        self.send("client", flags=SYN)
        self.send("server", flags=SYN | ACK)
        self.send("client")

    def say(self, said: Iterable[Said]) -> None:
        """Send what a session has."""
        for each in said:
            for start in range(0, len(each.data), self.size):
                self.send(each.sender, each.data[start : start + self.size])

    def close(self) -> None:
        """Both say that they have no more to say."""
        self.send("server", flags=FIN | ACK)
        self.send("client", flags=FIN | ACK)


def packets_of(name: str, **call: Any) -> list[Sent]:
    """A whole recorded session as packets."""
    made = Call(**call)
    made.connect()
    made.say(said_in(name))
    made.close()
    return made.packets


def pcap_of(packets: Sequence[Sent]) -> bytes:
    """A capture file."""
    file = io.BytesIO()
    writer = dpkt.pcap.Writer(file)
    for packet in packets:
        writer.writepkt(packet.frame(), packet.at)
    return file.getvalue()


def decoded(packets: Sequence[Sent], keyring: Keyring, *, secrets: bool = False) -> list[Record]:
    """What the decoder tells of these packets."""
    return decoded_file(pcap_of(packets), keyring, secrets=secrets)


def decoded_file(data: bytes, keyring: Keyring, *, secrets: bool = False) -> list[Record]:
    """What the decoder tells of a file."""
    decoder = Decoder(keyring, secrets=secrets)
    records = [
        record for packet in read_packets(io.BytesIO(data)) for record in decoder.take(packet)
    ]
    return [*records, *decoder.finish()]


def timeless(records: Iterable[Record]) -> list[Record]:
    """The same without times, which differ when packets are cut otherwise."""
    found = []
    for record in records:
        facts = {name: value for name, value in record.facts.items() if name != "seconds"}
        text = record.text.partition(" after ")[0]
        found.append(replace(record, at=0.0, facts=facts, text=text))
    return found
