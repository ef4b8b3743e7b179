"""The recorded sessions of real programs, as plain values."""

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "data" / "sessions"
LOGIN_UNITS = {"seed", "proof of the seed", "user name", "password check", "login accepted"}


@dataclass(frozen=True)
class Unit:
    sender: str
    what: str
    wire: bytes
    clear: bytes

    @property
    def is_frame(self) -> bool:
        return self.what not in LOGIN_UNITS

    @property
    def command(self) -> int:
        return self.clear[1]

    @property
    def payload(self) -> bytes:
        return self.clear[4:]


@dataclass(frozen=True)
class Session:
    name: str
    user: bytes
    password: bytes
    units: tuple[Unit, ...]

    def sent_by(self, sender: str) -> list[Unit]:
        return [unit for unit in self.units if unit.sender == sender]

    @property
    def seed(self) -> bytes:
        return self.units[0].clear


def load(path: Path) -> Session:
    data = json.loads(path.read_text())
    units = (
        Unit(unit["from"], unit["what"], bytes.fromhex(unit["wire"]), bytes.fromhex(unit["clear"]))
        for unit in data["units"]
    )
    return Session(path.stem, data["user"].encode(), data["password"].encode(), tuple(units))


SESSIONS = [load(path) for path in sorted(FOLDER.glob("cccam-*.json"))]
COMPLETE = [session for session in SESSIONS if "wrong-password" not in session.name]
