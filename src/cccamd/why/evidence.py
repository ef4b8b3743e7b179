"""What an explanation is made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cccamd.cards import Card, CardTable, Rights, SourceId, Viewer
from cccamd.facts import ClientStatus, SourceStatus
from cccamd.ids import NO_NODE_ID, Caid, Ident, NodeId, Sid, format_caid, format_ident, format_sid
from cccamd.routing import Priorities
from cccamd.setup.cccamcfg import Config, FLine
from cccamd.setup.toml import TomlConfig
from cccamd.why.finding import Setting
from cccamd.why.recent import Recent


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be explained: about an account, a source, a service. None: left open."""

    account: str | None = None
    source: str | None = None
    """Its name; cards of others are left out."""
    caid: Caid | None = None
    ident: Ident | None = None
    sid: Sid | None = None

    @property
    def service(self) -> str:
        """The service in words; empty when nothing was said of one."""
        if self.caid is None and self.ident is None and self.sid is None:
            return ""
        parts = (
            "-" if self.caid is None else format_caid(self.caid),
            "-" if self.ident is None else format_ident(self.ident),
            "-" if self.sid is None else format_sid(self.sid),
        )
        return ":".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A server at one moment, or the files that one would be built from."""

    live: bool
    """Whether a server runs; else `table` holds what the files put into it."""
    at: float
    """Seconds since the epoch."""
    minute: int
    """Local time, minutes since midnight."""
    config: Config
    toml: TomlConfig
    priorities: Priorities
    table: CardTable
    sources: Mapping[SourceId, SourceStatus]
    """Also those that are not logged in."""
    clients: Mapping[str, ClientStatus] = field(default_factory=dict)
    """Who is logged in, by account."""
    recent: Recent = field(default_factory=Recent)

    # Where settings stand, so that every reason can name its own.

    def key(self, name: str) -> Setting:
        """A key line of CCcam.cfg; without a line when it is not set there."""
        place = self.config.place(name)
        return Setting(name=name, file=place.file, line=place.line)

    def ignore_node(self, node_id: NodeId) -> Setting:
        """The line that ignores a node."""
        index = self.config.settings.ignore_nodes.index(node_id)
        place = self.config.place("IGNORE NODE", index)
        return Setting(name="IGNORE NODE", file=place.file, line=place.line)

    def f_line(self, line: Rights) -> Setting:
        """An account."""
        return Setting(name="the F-line", file=self.config.file, line=line.line)

    def c_line(self, line: int) -> Setting:
        """An upstream."""
        return Setting(name="the C-line", file=self.config.file, line=line)

    def toml_table(self, name: str) -> Setting:
        """A table of cccamd.toml, by its heading and identity."""
        place = self.toml.place(name)
        return Setting(name=name, file=place.file, line=place.line)

    def i_line(self) -> Setting:
        """An I-line of CCcam.prio."""
        file = self.config.settings.caid_prio_file or "CCcam.prio"
        return Setting(name="an I-line", file=file)

    def account(self, user: str) -> FLine | None:
        """The F-line of a user."""
        return next((line for line in self.config.f_lines if line.user == user), None)

    def viewer(self, account: FLine) -> Viewer:
        """The account as the card table judges it; loops show only while it is logged in."""
        client = self.clients.get(account.user)
        return Viewer(
            account=account,
            node_id=client.node_id if client else NO_NODE_ID,
            global_limits=self.config.settings.global_limits,
            emm_allowed=self.config.emm_allowed and account.allowemm,
        )

    def source_name(self, card: Card) -> str:
        """Name the source of a card; it may have gone meanwhile."""
        source = self.sources.get(card.source)
        return source.name if source else "a source that is gone"
