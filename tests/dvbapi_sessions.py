"""The recorded dvbapi sessions, as plain values."""

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "data" / "sessions"


@dataclass(frozen=True)
class Frame:
    at: float
    """Seconds since the connection began."""
    sender: str
    wire: bytes
    """One whole message; empty: the connection was closed."""
    meaning: str


@dataclass(frozen=True)
class DvbapiSession:
    name: str
    version: int
    frames: tuple[Frame, ...]

    def sent_by(self, sender: str) -> list[Frame]:
        return [frame for frame in self.frames if frame.sender == sender and frame.wire]


def load_dvbapi(path: Path) -> DvbapiSession:
    data = json.loads(path.read_text())
    frames = (
        Frame(one["at_ms"] / 1e3, one["from"], bytes.fromhex(one["wire_hex"]), one["meaning"])
        for one in data["frames"]
    )
    return DvbapiSession(path.stem, data["proto"], tuple(frames))


DVBAPI_SESSIONS = [load_dvbapi(path) for path in sorted(FOLDER.glob("dvbapi-*.json"))]
