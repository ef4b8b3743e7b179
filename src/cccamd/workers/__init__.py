"""The doors of one server spread over processes: sockets, ciphers and frames in workers.

Theory of operation. A server is one core: sessions, cards, routing, links, pages. What each client
costs beyond that (system calls, RC4, frames, keepalives) may live in *workers*, other processes of
the same program that the core starts. The border between them is the interface that each protocol
object has (`wire/link.py`): a worker runs the real `ServerProtocol` and tells its events; the core
has a `RemoteSide` in its place, and does not know the difference. So there is one session per
account, one ask per ECM, one login per C-line and one truth for pages and journal, however many
workers there are.

    records.py   events and calls of one client, as bytes
    frames.py    those of all clients of a worker on one stream
    door.py      inside a worker: accepts, runs the protocol objects
    side.py      inside the core: the protocol object's place
    remote.py    inside the core: the socket's place
    crew.py      inside the core: starts the workers, and starts them again

Each worker listens on a socket of its own for the same port (SO_REUSEPORT), and the kernel spreads
who connects. The core keeps those sockets open too: while a worker is away, hangs or is short of
something, the others take who comes to its sockets; while all are, who comes waits, and is not
turned down. A worker that ends takes its own connections with it, and nothing else; a worker
without a core ends, also one that hangs: it would keep the port from the next core.
"""

from cccamd.workers.crew import Crew, Member
from cccamd.workers.remote import RemoteConnection, RemoteTransport
from cccamd.workers.side import RemoteSide

__all__ = ["Crew", "Member", "RemoteConnection", "RemoteSide", "RemoteTransport"]
