"""A third protocol, both sides: a line for each message. All that a protocol has to bring."""

import base64
import copyreg
import pickle
from dataclasses import fields

from cccamd.values import ControlWords, Emm, Offer, Provider
from cccamd.wire import link
from cccamd.wire.link import CloseReason, Peer, State


def made_again(value):
    return rebuilt, (
        type(value),
        {field.name: getattr(value, field.name) for field in fields(value)},
    )


def rebuilt(kind, values):
    return kind(**values)


for kind in (ControlWords, Emm, Offer, Provider):
    copyreg.pickle(kind, made_again)  # compiled ones that are frozen can be made, but not filled


class Side:
    """What both sides do: cut lines out of bytes, say and hear words, note what happened."""

    one_at_a_time, in_flight = False, 0

    def __init__(self, now):
        self.state, self.peer = State.HANDSHAKE, None
        self.rest, self.out, self.events = b"", b"", []

    def receive_data(self, data, now):
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            word, values = pickle.loads(base64.b64decode(line))
            getattr(self, f"on_{word}")(*values)

    def receive_eof(self, now, loss=link.CLOSED_BY_PEER):
        self.close(loss.reason, loss.said)

    def close(self, reason, detail=""):
        if self.state is not State.CLOSED:
            self.state, self.events = State.CLOSED, [link.Closed(reason, detail)]

    def handle_deadline(self, now): ...
    def next_deadline(self): ...
    def events_received(self):
        events, self.events = self.events, []
        return events

    def data_to_send(self):
        data, self.out = self.out, b""
        return data

    def say(self, word, *values):
        self.out += base64.b64encode(pickle.dumps((word, values))) + b"\n"

    def on_event(self, event):
        self.events.append(event)

    def open(self, peer, *events):
        self.state, self.peer = State.OPEN, peer
        self.events += [link.LoginSucceeded(), link.Introduced(peer), *events]


def saying(kind):
    return lambda self, *values: self.say("event", kind(*values))


class ToyServer(Side):
    def on_hello(self, user, password, node_id):
        self.hello = password, Peer(node_id=node_id, program="toy")
        self.events.append(link.LoginRequested(user))

    def authenticate(self, password, *, hold=False):
        if self.hello[0] != password:
            self.close(CloseReason.WRONG_PASSWORD)
        elif hold:
            self.events.append(link.LoginProved())
        else:
            self.accept_login(0)

    def accept_login(self, now):
        self.say("welcome")
        self.open(self.hello[1], link.OffersDue())

    refuse_login = Side.close
    announce, withdraw = saying(link.OfferAdded), saying(link.OfferWithdrawn)
    answer, refuse = saying(link.Answered), saying(link.Refused)

    def send_keepalive(self): ...


class ToyClient(Side):
    def __init__(self, now, user, password, node_id):
        super().__init__(now)
        self.say("hello", user, password, node_id)

    def on_welcome(self):
        self.open(Peer(program="toy server"))

    def ask(self, token, request, now):
        self.say("event", link.Requested(token, request))

    def send_emm(self, token, emm, now):
        self.say("event", link.EmmReceived(emm))

    def forget(self, token):
        return False
