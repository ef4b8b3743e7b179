"""A client object and a server object joined by a fake wire."""

from collections.abc import Callable

from cccamd.ids import NodeId
from cccamd.values import Emm, Request
from cccamd.wire.cccam import (
    ALL_CAPABILITIES,
    DEFAULT_VERSION,
    Capabilities,
    ClientProtocol,
    ServerProtocol,
    Version,
    make_node_id,
)
from cccamd.wire.link import LoginRequested

PLAIN_NODE = NodeId(bytes.fromhex("3638d159507c1599"))
PARTNER_NODE = make_node_id(b"\x01\x02\x03\x04")
SEED = bytes(range(40, 52))

Side = ServerProtocol | ClientProtocol


class Pair:
    """Both ends of one connection; `pump` carries bytes until nothing moves any more."""

    def __init__(
        self,
        *,
        user: bytes = b"anna",
        password: bytes = b"secret",
        expected_password: bytes = b"secret",
        server_node: NodeId = PLAIN_NODE,
        client_node: NodeId = PARTNER_NODE,
        server_version: Version = DEFAULT_VERSION,
        client_version: Version = DEFAULT_VERSION,
        offer: Capabilities = ALL_CAPABILITIES,
        queue_limit: int = 64,
        piece: int = 1 << 20,
    ) -> None:
        self.now = 100.0
        self._tokens = 1000
        self.piece = piece
        self.expected_password = expected_password
        self.server_version = server_version
        self.server_events: list[object] = []
        self.client_events: list[object] = []
        self.on_server_event: Callable[[object], None] = lambda event: None
        self.server = ServerProtocol(
            node_id=server_node,
            program="server",
            random=SEED,
            now=self.now,
            queue_limit=queue_limit,
            offer=offer,
            version_for=lambda user: self.server_version,
        )
        self.client = ClientProtocol(
            user=user,
            password=password,
            node_id=client_node,
            program="client",
            now=self.now,
            version=client_version,
        )

    def ask(self, request: Request) -> int:
        """Let the client ask; the token of the answer."""
        self._tokens += 1
        self.client.ask(self._tokens, request, self.now)
        return self._tokens

    def send_emm(self, emm: Emm) -> int:
        self._tokens += 1
        self.client.send_emm(self._tokens, emm, self.now)
        return self._tokens

    def pump(self) -> None:
        while self._carry(self.server, self.client) or self._carry(self.client, self.server):
            pass
        self._drain()

    def _carry(self, source: Side, target: Side) -> bool:
        data = source.data_to_send()
        for start in range(0, len(data), self.piece):
            target.receive_data(data[start : start + self.piece], self.now)
            self._drain()
        return bool(data)

    def _drain(self) -> None:
        self.client_events += self.client.events_received()
        for event in self.server.events_received():
            self.server_events.append(event)
            if isinstance(event, LoginRequested):
                self.server.authenticate(self.expected_password)
            self.on_server_event(event)
        late = self.server.events_received()
        self.server_events += late
        for event in late:
            self.on_server_event(event)
