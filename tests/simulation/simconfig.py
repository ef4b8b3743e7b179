"""The files of the server as they are now, and the keys of paired servers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from simledger import Ledger
from simplan import has_all, has_newcamd
from simrights import CAID, KINDS

from cccamd.ids import USUAL_CONFIG_KEY, NodeId
from cccamd.localcards import find_kinds
from cccamd.setup.cccamcfg import Companions, parse, parse_prio
from cccamd.setup.merging import merge
from cccamd.setup.setup import Setup
from cccamd.setup.toml import parse as parse_toml
from cccamd.wire.keycodes import KeyCode, key_code

if TYPE_CHECKING:
    from simupstreams import Upstream

PORTS: Final = 12_000, 12_500
"""For CCcam and for newcamd, and one further after each reload that moves them."""
TLS_PORT, DVBAPI_PORT = 12_443, 12_900
FAR: Final = "198.51.100."
"""Where those come from who can be banned: the local networks never are."""
ATTEMPTS: Final = 3
"""Failed logins of one address, within far less than a minute, until it is banned."""
FRIEND: Final = "friend"
"""The paired server that logs in here."""
CARD_KINDS: Final = find_kinds()

_parsed_toml: dict[str, Any] = {}


@dataclass(frozen=True)
class Key:
    """A paired server, as the list has it."""

    name: str
    code: KeyCode
    since_day: str = "2023-11-14"


class Keys:
    """What stands for `cccamd.setup.pairing.Pairing`: no files, and no secrets in them."""

    key_path = Path("/nonexistent/link-key.pem")
    trouble = ""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._own = self.key_of("ourselves")
        self._known: Mapping[str, Key] = MappingProxyType({})
        self.changed_at: dict[KeyCode, float] = {}
        """When a key was paired or forgotten last."""

    def key_of(self, who: str) -> KeyCode:
        """The key that somebody has, paired or not."""
        return key_code(f"{self._seed} key of {who}".encode())

    def own_code(self) -> KeyCode:
        return self._own

    def paired(self) -> Mapping[str, Key]:
        return self._known

    def find(self, code: KeyCode) -> Key | None:
        return next((each for each in self._known.values() if each.code == code), None)

    def pair(self, name: str, code: KeyCode, now: float) -> None:
        """What `cccamd pair --replace` does."""
        before = self._known.get(name)
        if before is not None and before.code != code:
            self.changed_at[before.code] = now
        self.changed_at[code] = now
        self._known = MappingProxyType({**self._known, name: Key(name, code)})

    def forget(self, name: str, now: float) -> None:
        """What `cccamd pair --forget` does."""
        if name in self._known:
            self.changed_at[self._known[name].code] = now
            left = {known: key for known, key in self._known.items() if known != name}
            self._known = MappingProxyType(left)


class Files:
    """CCcam.cfg, CCcam.prio and cccamd.toml."""

    def __init__(
        self, seed: str, ledger: Ledger, node_id: NodeId, now: Callable[[], float]
    ) -> None:
        self._seed, self._ledger, self._node_id, self._now = seed, ledger, node_id, now
        self.kinds: dict[str, str] = {}
        """Which of `KINDS` each account is."""
        self.off: set[str] = set()
        """Accounts that are not enabled."""
        self.paired_account = ""
        """The account that has to come from `FRIEND`, if there is one."""
        self.prio = ""
        self.ports = PORTS
        self.left_out_upstream: int | None = None
        self.local_reshare = 0

    def grant(self, user: str, kind: str) -> None:
        """Have an account from now on, with these rights."""
        self.kinds[user] = kind
        self._note_rights(user)

    def switch(self, user: str, *, on: bool) -> None:
        """Let an account be, or not."""
        if on == (user in self.off):
            self.off ^= {user}
            self._note_rights(user)

    def _note_rights(self, user: str) -> None:
        rights = KINDS[self.kinds[user]]
        if user in self.off:
            rights = replace(rights, hops=-1)
        self._ledger.rights.setdefault(user, []).append((self._now(), rights))

    def taken(self, users: Iterable[str]) -> None:
        """The server goes by them: from now on what was changed of these accounts counts."""
        for user in users:
            known = self._ledger.rights[user]
            known[-1] = self._now(), known[-1][1]

    def setup(self, upstreams: Iterable["Upstream"]) -> Setup:
        """What the server is given."""
        wanted = [up for up in upstreams if up.number != self.left_out_upstream]
        lines = [KINDS[kind].line.format(user) for user, kind in self.kinds.items()]
        lines += [up.line() for up in wanted]
        lines += [
            "ALLOW WEBINFO : no",
            "ALLOW TELNETINFO : no",
            f"SERVER LISTEN PORT : {self.ports[0]}",
        ]
        parsed = parse("\n".join(lines).encode())
        assert not parsed.refused, parsed.refused
        toml = self._toml() + "".join(up.table() for up in wanted)
        if toml not in _parsed_toml:
            found = parse_toml(toml, kinds=CARD_KINDS, folder=Path())
            assert not found.problems, [str(problem) for problem in found.problems]
            _parsed_toml[toml] = found.config
        return Setup(
            config=merge(parsed.config, _parsed_toml[toml]),
            toml=_parsed_toml[toml],
            node_id=self._node_id,
            companions=Companions(prio=parse_prio(self.prio.encode())),
        )

    def _toml(self) -> str:
        text = f"""
[server]
bind = ["10.0.0.1"]
[network]
allow = ["192.168.0.0/16", "{FAR}0/24"]
[limits]
max_pending_logins = 12
[cache]
seconds = {5 + len(self._seed) % 3}
[[card]]
kind = "test"
caid = "{CAID:04X}"
providers = ["000002", "000003"]
reshare = {self.local_reshare}
"""
        if has_newcamd(self._seed):
            text += f"""
[[newcamd]]
port = {self.ports[1]}
caid = "{CAID:04X}"
[penalties]
attempts = {ATTEMPTS}
"""
        if has_all(self._seed):
            text += f"""
[tls]
port = {TLS_PORT}
[dvbapi]
port = {DVBAPI_PORT}
listen = ["10.0.0.1"]
networks = ["192.168.3.0/24"]
account = "tv"
"""
            text += "".join(self._account(user) for user in self.kinds)
        return text

    def _account(self, user: str) -> str:
        said = ["enabled = false"] * (user in self.off)
        said += [f'paired = "{FRIEND}"'] * (user == self.paired_account)
        return "\n".join(["", "[[account]]", f'user = "{user}"', *said, ""]) if said else ""


def n_line_key() -> str:
    """The key of an N-line, as it is written."""
    return USUAL_CONFIG_KEY.hex()
