"""One recorded newcamd connection, both sides (docs/newcamd-protocol.md sections 3 to 12).

The DES key of the port opens the login, and with the hash of the password that is in it all that
comes later: no password is needed. Each frame stands for itself, so after a hole reading goes on
with the first packet that begins with a frame.
"""

from collections import OrderedDict
from typing import Final

from cccamd.ids import format_caid, format_ident, format_service, format_sid
from cccamd.values import CW_LENGTH
from cccamd.wire.newcamd import (
    GREETING_LENGTH,
    CardData,
    Command,
    Form,
    Frame,
    FrameCipher,
    FrameCutter,
    FrameError,
    Login,
    decipher,
    find_form,
    login_cipher,
    parse_frame,
    program_of,
    session_cipher,
)
from cccamd.wire.overheard.keyring import Keyring
from cccamd.wire.overheard.records import Json, Kind, Sender, Tell

OPEN_LIMIT: Final = 4096
_ECMS: Final = (0x80, 0x81)
_EMMS: Final = range(0x82, 0x92)
_Asked = tuple[int, float]
"""Its number, and when it was asked."""


class NewcamdSession:
    """Reads one connection; `server` is the address, for who is asked for its key."""

    def __init__(self, tell: Tell, keyring: Keyring, *, secrets: bool, server: str) -> None:
        self._tell = tell
        self._keyring = keyring
        self._secrets = secrets
        self._server = server
        self._at = 0.0
        self._greeting = b""
        self._key = b""
        self._hashed = b""
        self._form = Form.F525
        self._cutters = {Sender.CLIENT: FrameCutter(), Sender.SERVER: FrameCutter()}
        self._ciphers: dict[Sender, FrameCipher] = {}
        self._torn: set[Sender] = set()
        """Who has to begin anew with a frame."""
        self._lost = self._accepted = self._answered = False
        self._card: CardData | None = None
        self._count = 0
        self._asked: OrderedDict[tuple[int, int], _Asked] = OrderedDict()
        """By sequence number and command."""

    def receive(self, sender: Sender, data: bytes, at: float) -> None:
        """Take in what one side sent."""
        self._at = at
        if self._lost:
            return
        if sender is Sender.SERVER and len(self._greeting) < GREETING_LENGTH:
            rest = GREETING_LENGTH - len(self._greeting)
            self._greeting += data[:rest]
            data = data[rest:]
            if len(self._greeting) == GREETING_LENGTH:
                self._tell(Sender.SERVER, Kind.SEED, "greeting")
                self._read(Sender.CLIENT)
        cutter = self._cutters[sender]
        if sender in self._torn:
            cutter = self._cutters[sender] = FrameCutter()
        cutter.feed(data)
        self._read(sender)

    def miss(self, sender: Sender, length: int) -> None:
        """So many bytes of one side are not in the capture."""
        if self._lost:
            return
        text = f"{length} bytes are not in the capture"
        if not self._accepted:
            self._give_up(sender, f"{text}, and the login with them: nothing can be read")
            return
        self._torn.add(sender)
        self._tell(sender, Kind.UNREAD, f"{text}: reading goes on with the next frame")

    def end(self, sender: Sender) -> None:
        """One side has ended it; a server does so at a login that it cannot read."""
        if sender is Sender.SERVER and self._ciphers and not self._answered:
            text = "closes without a word: it has another DES key, or does not want this client"
            self._tell(sender, Kind.LOGIN_REFUSED, text)

    def _give_up(self, sender: Sender, why: str) -> None:
        self._lost = True
        self._tell(sender, Kind.UNREAD, why)

    def _read(self, sender: Sender) -> None:
        if len(self._greeting) < GREETING_LENGTH:
            return
        try:
            while not self._lost and self._may_read(sender):
                body = self._cutters[sender].next()
                if body is None:
                    return
                self._on_body(sender, body)
                self._torn.discard(sender)
        except FrameError as error:
            if sender in self._torn:
                self._cutters[sender] = FrameCutter()
            else:
                self._torn.add(sender)
                why = f"{error}: reading goes on with the next frame that is whole"
                self._tell(sender, Kind.UNREAD, why)

    def _may_read(self, sender: Sender) -> bool:
        """What a server says can be read when the client's login has been."""
        return sender is Sender.CLIENT or bool(self._ciphers)

    # The login.

    def _on_body(self, sender: Sender, body: bytes) -> None:
        if not self._ciphers:
            self._on_login(body)
            return
        frame = parse_frame(decipher(body, self._ciphers[sender]), self._form)
        if sender is Sender.CLIENT:
            self._on_client(frame)
        else:
            self._on_server(frame)

    def _on_login(self, body: bytes) -> None:
        key, tried = self._keyring.key(self._server, lambda each: self._opens(body, each))
        if key is None:
            why = "none of the DES keys known fits" if tried else "no DES key is known for it"
            self._give_up(Sender.CLIENT, f"{why}: nothing can be read")
            return
        self._key = key
        clear = decipher(body, login_cipher(key, self._greeting))
        form = find_form(clear, Command.LOGIN)
        assert form is not None
        self._form = form
        frame = parse_frame(clear, form)
        login = Login.parse(frame.data)
        self._hashed = login.hashed
        # The client's next frame comes after the answer, and is under the other key.
        self._ciphers = {
            Sender.CLIENT: session_cipher(key, login.hashed),
            Sender.SERVER: login_cipher(key, self._greeting),
        }
        user, program = _shown(login.user), program_of(frame.header.sid)
        version = "5.24" if form is Form.F524 else "5.25"
        facts: dict[str, Json] = {"user": user, "program": program, "version": version}
        if self._secrets:
            facts["password_hash"] = login.hashed.decode("ascii", "replace")
        text = f"login as {user} by {program}, newcamd {version}"
        self._tell(Sender.CLIENT, Kind.LOGIN, text, **facts)
        self._read(Sender.SERVER)

    def _opens(self, body: bytes, key: bytes) -> bool:
        try:
            clear = decipher(body, login_cipher(key, self._greeting))
            form = find_form(clear, Command.LOGIN)
            if form is None:
                return False
            Login.parse(parse_frame(clear, form).data)
        except FrameError:
            return False
        return True

    # Messages.

    def _on_client(self, frame: Frame) -> None:
        match frame.command:
            case command if command in _ECMS:
                self._on_ecm(frame)
            case command if command in _EMMS:
                self._count += 1
                self._wait(frame)
                text = f"EMM {self._count}, {len(frame.message)} bytes"
                self._tell(
                    Sender.CLIENT, Kind.EMM, text, number=self._count, length=len(frame.message)
                )
            case Command.CARD_DATA_REQUEST:
                self._tell(
                    Sender.CLIENT, Kind.MESSAGE, "asks for the card", name=_name(frame.command)
                )
            case _:
                self._on_other(Sender.CLIENT, frame)

    def _on_server(self, frame: Frame) -> None:
        match frame.command:
            case Command.LOGIN_ACCEPTED if not self._accepted:
                self._accepted = self._answered = True
                self._ciphers[Sender.SERVER] = session_cipher(self._key, self._hashed)
                self._tell(Sender.SERVER, Kind.LOGIN_ACCEPTED, "login accepted")
            case Command.LOGIN_REFUSED:
                self._answered = True
                self._tell(Sender.SERVER, Kind.LOGIN_REFUSED, "login refused")
            case command if command in _ECMS:
                self._on_answer(frame)
            case command if command in _EMMS:
                number, seconds = self._take_asked(frame)
                text = f"EMM {number or 'that was not read'} arrived"
                self._tell(Sender.SERVER, Kind.EMM_ANSWER, text, number=number, seconds=seconds)
            case Command.CARD_DATA:
                self._on_card(frame)
            case _:
                self._on_other(Sender.SERVER, frame)

    def _on_other(self, sender: Sender, frame: Frame) -> None:
        if frame.command == Command.KEEPALIVE:
            self._tell(sender, Kind.KEEPALIVE, "keepalive")
            return
        name = _name(frame.command)
        text = f"{name}, {len(frame.data)} bytes"
        self._tell(sender, Kind.MESSAGE, text, name=name, length=len(frame.data))

    def _on_card(self, frame: Frame) -> None:
        self._card = card = CardData.parse(frame.data)
        idents = [format_ident(each.ident) for each in card.providers]
        emms = "EMMs wanted" if card.may_update else "no EMMs wanted"
        self._tell(
            Sender.SERVER,
            Kind.CARD,
            f"card: {format_caid(card.caid)} with {', '.join(idents) or 'no provider'}; {emms}",
            caid=format_caid(card.caid),
            idents=idents,
            may_update=card.may_update,
        )

    def _on_ecm(self, frame: Frame) -> None:
        self._count += 1
        self._wait(frame)
        header, card = frame.header, self._card
        caid = header.caid or (card.caid if card is not None else 0)
        ident = header.provider
        if card is not None and caid == card.caid:
            ident = card.ident_of(header.provider)
        self._tell(
            Sender.CLIENT,
            Kind.ECM,
            f"ECM {self._count} for {format_service(caid, ident, header.sid)},"
            f" {len(frame.message)} bytes",
            number=self._count,
            caid=format_caid(caid),
            ident=format_ident(ident),
            sid=format_sid(header.sid),
            table=f"{frame.command:02X}",
            length=len(frame.message),
        )

    def _wait(self, frame: Frame) -> None:
        if len(self._asked) >= OPEN_LIMIT:
            self._asked.popitem(last=False)
        self._asked[frame.header.sequence, frame.command] = (self._count, self._at)

    def _take_asked(self, frame: Frame) -> tuple[int | None, float | None]:
        asked = self._asked.pop((frame.header.sequence, frame.command), None)
        return (None, None) if asked is None else (asked[0], round(self._at - asked[1], 6))

    def _on_answer(self, frame: Frame) -> None:
        number, seconds = self._take_asked(frame)
        found = len(frame.data) == CW_LENGTH
        facts: dict[str, Json] = {"cw": frame.data.hex()} if found and self._secrets else {}
        to = "an ECM that was not read" if number is None else f"ECM {number}"
        after = "" if seconds is None else f" after {seconds * 1000:.0f} ms"
        shown = f" {frame.data.hex()}" if facts else ""
        self._tell(
            Sender.SERVER,
            Kind.ANSWER,
            f"answer to {to}{after}: {'CW' if found else 'not found'}{shown}",
            number=number,
            result="cw" if found else "not found",
            seconds=seconds,
            **facts,
        )


def _name(command: int) -> str:
    known = command in {each.value for each in Command}
    return Command(command).name if known else f"command 0x{command:02X}"


def _shown(name: bytes) -> str:
    text = name.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "?" for char in text)
