"""What happened lately, in words: a bounded list that says a repeated thing once."""

from collections import OrderedDict, deque
from dataclasses import replace
from typing import Final

from cccamd.facts import EcmResult, Freeze, Note, ServiceId, Tone
from cccamd.watch.happenings import (
    CardsChanged,
    ClientLoggedIn,
    ClientLoggedOut,
    ClockSet,
    EcmFinished,
    FreezeBegan,
    FreezeEnded,
    FreezeForeseen,
    Happening,
    LoginFailed,
    SourceDown,
    SourceUp,
)
from cccamd.watch.stamps import followed

NOTES_LIMIT: Final = 200
"""How many are kept."""
ACCOUNTS_LIMIT: Final = 4096
"""Of how many accounts the channel is remembered."""


_Watched = tuple[ServiceId, EcmResult]
_LEFT: Final = -1
"""Stands for the client of an account that has left last."""


class Notes:
    """Remembers what happened lately; fed with happenings."""

    def __init__(self) -> None:
        self._notes: deque[Note] = deque()
        self._latest: dict[str, Note] = {}
        """The newest note about each subject that is among them."""
        self._watching: OrderedDict[str, dict[int, _Watched]] = OrderedDict()
        """By account and client; the last that has left stands for who comes next."""

    def recent(self) -> tuple[Note, ...]:
        """Give all, the newest first."""
        return tuple(reversed(self._notes))

    def observe(self, happening: Happening) -> None:
        """Take a happening in, if it is news."""
        if isinstance(happening, ClockSet):
            self._follow(happening)
        note = self._note(happening)
        if note is not None:
            self._add(note)

    def _follow(self, clock: ClockSet) -> None:
        for note in tuple(self._notes):
            moved = replace(note, at=followed(note.at, clock.step, clock.at))
            self._notes.popleft()
            self._notes.append(moved)
            if self._latest[note.subject] is note:
                self._latest[note.subject] = moved

    def _note(self, happening: Happening) -> Note | None:
        match happening:
            case EcmFinished():
                return self._watched(happening)
            case FreezeForeseen() | FreezeBegan() | FreezeEnded():
                return _picture_note(happening)
            case ClientLoggedOut():
                self._leave(happening)
        return _note(happening)

    def _leave(self, logout: ClientLoggedOut) -> None:
        clients = self._watching.get(logout.account, {})
        if logout.client in clients:
            clients[_LEFT] = clients.pop(logout.client)

    def _add(self, note: Note) -> None:
        """A link that fails every minute is one note, unless something else came of it."""
        last = self._latest.get(note.subject)
        if last is not None and last.text == note.text and _same(last, note):
            if last is self._notes[-1]:
                self._notes.pop()  # a flood: to look for it in all of them would be long
            else:
                self._notes.remove(last)
            note = replace(note, times=last.times + 1)
        elif len(self._notes) == NOTES_LIMIT:
            oldest = self._notes.popleft()
            if self._latest[oldest.subject] is oldest:
                del self._latest[oldest.subject]
        self._notes.append(note)
        self._latest[note.subject] = note

    def _watched(self, happening: EcmFinished) -> Note | None:
        """Tell of another channel, of the first refusal in a row, and of the end of a row."""
        service = ServiceId(happening.caid, happening.ident, happening.sid)
        clients = self._watching.setdefault(happening.account, {})
        before = clients.get(happening.client) or next(reversed(clients.values()), None)
        clients[happening.client] = service, happening.result
        if before == (service, happening.result):
            return None
        if len(self._watching) > ACCOUNTS_LIMIT:
            self._watching.popitem(last=False)
        back = before is not None and before[0] == service
        return _channel_note(happening, service, back=back)


def _same(last: Note, note: Note) -> bool:
    return replace(last, at=note.at, times=1) == note


def _channel_note(happening: EcmFinished, service: ServiceId, *, back: bool) -> Note | None:
    tone, text = Tone.PLAIN, "watches"
    if happening.result is not EcmResult.CW:
        tone, text = Tone.BAD, f"gets no CW ({happening.result.value}) for"
    elif back:
        tone, text = Tone.GOOD, "gets CWs again for"
    account = happening.account
    return Note(
        at=happening.at, tone=tone, subject=account, text=text, account=account, service=service
    )


def _picture_note(happening: FreezeForeseen | FreezeBegan | FreezeEnded) -> Note:
    about: FreezeForeseen | Freeze
    match happening:
        case FreezeForeseen():
            about = happening
            tone, text = Tone.BAD, f"may freeze in about {happening.seconds:.0f} s on"
        case FreezeBegan(freeze=about):
            what = "is dark from the start" if about.from_start else "froze"
            tone, text = Tone.BAD, f"{what} ({about.cause}) on"
        case FreezeEnded(freeze=about):
            was = "was dark" if about.from_start else "was frozen"
            tone, text = Tone.PLAIN, f"{was} for {about.seconds:.1f} s on"
    return Note(
        at=happening.at,
        tone=tone,
        subject=about.account,
        text=text,
        account=about.account,
        service=ServiceId(about.caid, about.ident, about.sid),
    )


def _note(happening: Happening) -> Note | None:
    at = happening.at
    match happening:
        case ClientLoggedIn(account=account):
            version = f", version {happening.version}" if happening.version else ""
            text = f"logged in from {happening.address}{version}"
            return Note(at=at, tone=Tone.GOOD, subject=account, text=text, account=account)
        case ClientLoggedOut(account=account):
            text = f"has left: {happening.reason}"
            return Note(at=at, tone=Tone.PLAIN, subject=account, text=text, account=account)
        case LoginFailed():
            return _failed_login(happening)
        case SourceUp(source=source):
            return Note(at=at, tone=Tone.GOOD, subject=source, text="is up")
        case SourceDown(source=source):
            return Note(at=at, tone=Tone.BAD, subject=source, text=f"is down: {happening.reason}")
        case CardsChanged(source=source):
            cards = "1 card" if happening.cards == 1 else f"{happening.cards} cards"
            tone = Tone.PLAIN if happening.cards else Tone.BAD
            return Note(at=at, tone=tone, subject=source, text=f"now has {cards}")
    return None


def _failed_login(happening: LoginFailed) -> Note:
    subject = happening.account or happening.address
    place = f" from {happening.address}" if happening.account else ""
    return Note(
        at=happening.at,
        tone=Tone.BAD,
        subject=subject,
        text=f"did not get in{place}: {happening.reason}",
        account=happening.account,
    )
