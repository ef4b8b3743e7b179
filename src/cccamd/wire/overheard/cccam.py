"""One recorded CCcam connection, both sides (docs/protocol.md sections 4 to 11).

Theory of operation. Both ciphers follow from the server's seed; the password moves only that of the
client. So what a server says can always be read from the seed on, and what a client says once its
password is known. In plain mode both sides skip 16 bytes after a CW, which is known when the frame
is: the ciphers follow frame by frame, and after a hole nothing of that direction can be read.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cccamd.ids import (
    format_caid,
    format_ident,
    format_node_id,
    format_service,
    format_share_id,
    format_sid,
)
from cccamd.values import CW_LENGTH, Offer
from cccamd.wire.cccam import (
    BURNT_LENGTH,
    LOGIN_ACCEPTED,
    PASSWORD_CHECK,
    PROOF_LENGTH,
    SEED_LENGTH,
    Capabilities,
    ClientData,
    Command,
    FrameReader,
    MalformedError,
    OversizedFrameError,
    PartnerText,
    ServerData,
    command_name,
    derive_keys,
    is_partner_seed,
    mask,
    parse_ecm,
    parse_emm,
    parse_offer,
    parse_text,
    parse_version,
    parse_withdrawal,
    shared_revision,
    unpack_user,
    without_signed_shift,
)
from cccamd.wire.overheard.keyring import Keyring
from cccamd.wire.overheard.records import Json, Kind, Sender, Tell

USER_FIELD: Final = 20
OPEN_LIMIT: Final = 4096
"""ECMs, and EMMs, that wait for an answer."""


@dataclass(frozen=True, slots=True)
class _Asked:
    number: int
    flag: int
    at: float
    share_id: int = 0


_Waiting = OrderedDict[int, _Asked]


class CccamSession:
    """Reads one connection."""

    def __init__(self, tell: Tell, keyring: Keyring, *, secrets: bool) -> None:
        self._tell = tell
        self._keyring = keyring
        self._secrets = secrets
        self._at = 0.0
        self._buffers = {Sender.CLIENT: b"", Sender.SERVER: b""}
        self._steps: dict[Sender, Callable[[], bool]] = {
            Sender.CLIENT: self._wait_for_seed,
            Sender.SERVER: self._on_seed,
        }
        """What each side says next; says whether there was enough of it."""
        self._frames: dict[Sender, FrameReader] = {}
        self._lost: set[Sender] = set()
        """Of whom nothing more can be read."""
        self._seed = b""
        self._login_came = False
        self._texts: dict[Sender, PartnerText] = {}
        self._client: ClientData | None = None
        self._server: ServerData | None = None
        self._count = 0
        self._ecms: _Waiting = OrderedDict()
        self._emms: _Waiting = OrderedDict()

    def receive(self, sender: Sender, data: bytes, at: float) -> None:
        """Take in what one side sent."""
        self._at = at
        if sender in self._lost:
            return
        if sender in self._frames:
            self._receive_frames(sender, data)
            return
        self._buffers[sender] += data
        while sender not in self._lost and self._steps[sender]():
            if sender in self._frames:
                rest, self._buffers[sender] = self._buffers[sender], b""
                self._receive_frames(sender, rest)
                return

    def miss(self, sender: Sender, length: int) -> None:
        """So many bytes of one side are not in the capture."""
        if sender not in self._lost:
            self._give_up(
                sender, f"{length} bytes are not in the capture: nothing can be read after them"
            )

    def end(self, sender: Sender) -> None:
        """One side has ended it; a server does so when it refuses a login."""
        waits = self._login_came and Sender.SERVER not in self._frames
        if waits and sender is Sender.SERVER and sender not in self._lost:
            self._tell(sender, Kind.LOGIN_REFUSED, "closes without a word: the login is refused")

    # The login.

    def _take(self, sender: Sender, length: int) -> bytes | None:
        buffer = self._buffers[sender]
        if len(buffer) < length:
            return None
        self._buffers[sender] = buffer[length:]
        return buffer[:length]

    def _wait_for_seed(self) -> bool:
        if not self._seed:
            if len(self._buffers[Sender.CLIENT]) > OPEN_LIMIT:
                self._give_up(Sender.CLIENT, "the server's seed is not in the capture")
            return False
        self._steps[Sender.CLIENT] = self._on_login
        return True

    def _on_seed(self) -> bool:
        seed = self._take(Sender.SERVER, SEED_LENGTH)
        if seed is None:
            return False
        self._seed = seed
        partner = is_partner_seed(seed)
        words = "seed, which offers extended mode" if partner else "seed"
        self._tell(Sender.SERVER, Kind.SEED, words, offers_extended=partner)
        self._steps[Sender.SERVER] = self._on_login_answer
        self.receive(Sender.CLIENT, b"", self._at)  # what was captured before it
        return True

    def _on_login(self) -> bool:
        fields = self._take(Sender.CLIENT, PROOF_LENGTH + USER_FIELD + len(PASSWORD_CHECK))
        if fields is None:
            return False
        keys = derive_keys(self._seed)
        cipher, proof = keys.client_to_server, fields[:PROOF_LENGTH]
        if cipher.decrypt(proof) != keys.proof:
            self._give_up(Sender.CLIENT, "its answer to the seed is wrong: it is no CCcam client")
            return False
        self._login_came = True
        user = unpack_user(cipher.decrypt(fields[PROOF_LENGTH : PROOF_LENGTH + USER_FIELD]))
        head, check = fields[: PROOF_LENGTH + USER_FIELD], fields[PROOF_LENGTH + USER_FIELD :]
        password, tried = self._keyring.password(user, lambda each: self._fits(head, check, each))
        shown = _shown(user)
        facts: dict[str, Json] = {"user": shown, "password_known": password is not None}
        if self._secrets and password is not None:
            facts["password"] = password.decode("utf-8", "replace")
        self._tell(Sender.CLIENT, Kind.LOGIN, f"login as {shown}", **facts)
        if password is None:
            why = "the password known for it is another" if tried else "its password is not known"
            self._give_up(Sender.CLIENT, f"{why}: what the client says cannot be read")
            return False
        fitted = derive_keys(self._seed).client_to_server
        fitted.decrypt(head)
        fitted.encrypt(password)
        fitted.decrypt(check)
        self._frames[Sender.CLIENT] = FrameReader(fitted)
        return True

    def _fits(self, head: bytes, check: bytes, password: bytes) -> bool:
        cipher = derive_keys(self._seed).client_to_server
        cipher.decrypt(head)
        cipher.encrypt(password)  # only moves the cipher: section 4, step 6
        return cipher.decrypt(check) == PASSWORD_CHECK

    def _on_login_answer(self) -> bool:
        answer = self._take(Sender.SERVER, len(LOGIN_ACCEPTED))
        if answer is None:
            return False
        cipher = derive_keys(self._seed).server_to_client
        self._cipher = cipher
        if not cipher.decrypt(answer).startswith(LOGIN_ACCEPTED.rstrip(b"\0")):
            self._give_up(Sender.SERVER, "its answer to the login is none of CCcam's")
            return False
        self._tell(Sender.SERVER, Kind.LOGIN_ACCEPTED, "login accepted")
        self._frames[Sender.SERVER] = FrameReader(cipher)
        return True

    # Frames.

    def _receive_frames(self, sender: Sender, data: bytes) -> None:
        handle = self._on_client if sender is Sender.CLIENT else self._on_server
        try:
            for flag, command, payload in self._frames[sender].frames(data):
                try:
                    handle(flag, command, payload)
                except MalformedError as error:
                    name = command_name(command)
                    self._tell(sender, Kind.MESSAGE, f"malformed {name}: {error}", name=name)
        except OversizedFrameError as error:
            self._give_up(sender, f"{error}: nothing can be read from here on")

    def _give_up(self, sender: Sender, why: str) -> None:
        self._lost.add(sender)
        self._buffers[sender] = b""
        self._tell(sender, Kind.UNREAD, why)

    @property
    def _extended(self) -> bool:
        """Whether both said so; what a client says may not be known, then the server's word is
        good: it repeats what both can."""
        said = [text.capabilities for text in self._texts.values()]
        if Sender.CLIENT not in self._texts and Sender.CLIENT not in self._lost:
            return False
        return Sender.SERVER in self._texts and all(Capabilities.EXT in each for each in said)

    def _on_client(self, flag: int, command: int, payload: bytes) -> None:
        match command:
            case Command.CLIENT_DATA:
                self._client = client = ClientData.parse(payload)
                self._introduce(Sender.CLIENT, client, user=_shown(client.user))
            case Command.ECM:
                self._on_ecm(flag, payload)
            case Command.EMM:
                self._on_emm(flag, payload)
            case Command.NOK1 if payload:
                self._on_text(Sender.CLIENT, payload)
            case _:
                self._on_other(Sender.CLIENT, command, payload)

    def _on_server(self, flag: int, command: int, payload: bytes) -> None:
        match command:
            case Command.CLIENT_DATA:
                pass  # it has arrived
            case Command.SERVER_DATA if self._server is None:
                self._server = server = ServerData.parse(payload)
                self._introduce(Sender.SERVER, server)
            case Command.ECM:
                self._on_cw(flag, payload)
            case Command.NOK1 if payload:
                self._on_text(Sender.SERVER, payload)
            case Command.NOK1:
                self._answered(flag, "nok1", "passing trouble")
            case Command.NOK2:
                self._answered(flag, "nok2", "it cannot decode this")
            case Command.SLEEP:
                self._answered(flag, "sleep", "it wants to be left alone")
            case Command.EMM:
                self._on_emm_answer(flag)
            case Command.NEW_CARD | Command.NEW_CARD_SIDS:
                offer = parse_offer(payload, with_sids=command == Command.NEW_CARD_SIDS)
                self._tell(Sender.SERVER, Kind.CARD, _card_words(offer), **_card_facts(offer))
            case Command.CARD_REMOVED:
                share_id = format_share_id(parse_withdrawal(payload))
                text = f"card {share_id} is taken back"
                self._tell(Sender.SERVER, Kind.CARD_REMOVED, text, share_id=share_id)
            case _:
                self._on_other(Sender.SERVER, command, payload)

    def _on_other(self, sender: Sender, command: int, payload: bytes) -> None:
        if command == Command.KEEPALIVE:
            self._tell(sender, Kind.KEEPALIVE, "keepalive")
            return
        name = command_name(command)
        text = f"{name}, {len(payload)} bytes"
        self._tell(sender, Kind.MESSAGE, text, name=name, length=len(payload))

    def _introduce(self, sender: Sender, said: ClientData | ServerData, **facts: Json) -> None:
        node_id = format_node_id(said.node_id)
        text = f"node {node_id}, version {said.version}, build {said.build}"
        self._tell(
            sender,
            Kind.WHO,
            text,
            node_id=node_id,
            version=said.version,
            build=said.build,
            **facts,
        )
        if sender is Sender.SERVER:
            self._tell_protocol()

    def _tell_protocol(self) -> None:
        client, server = self._client, self._server
        if client is None or server is None:
            return
        ours, theirs = parse_version(server.version), parse_version(client.version)
        revision = "unknown" if ours is None else shared_revision(ours, theirs).value
        mode = "extended" if self._extended else "plain"
        text = f"both speak revision {revision}, {mode} mode"
        self._tell(Sender.NOBODY, Kind.PROTOCOL, text, revision=revision, extended=self._extended)

    def _on_text(self, sender: Sender, payload: bytes) -> None:
        message = parse_text(payload)
        if not isinstance(message, PartnerText):
            self._tell(sender, Kind.TEXT, f'says "{message.text}"', said=message.text)
            return
        names = list(message.capabilities.names)
        text = f"is {message.program}, and can {', '.join(names) or 'nothing more'}"
        self._tell(sender, Kind.WHO, text, program=message.program, capabilities=names)
        if sender not in self._texts:
            before = self._extended
            self._texts[sender] = message
            if self._extended and not before:
                self._tell_protocol()

    # Questions and answers.

    def _on_ecm(self, flag: int, payload: bytes) -> None:
        request = parse_ecm(payload)
        self._count += 1
        share_id = request.share_id
        self._wait(self._ecms, flag, share_id)
        service = format_service(request.caid, request.ident, request.sid)
        self._tell(
            Sender.CLIENT,
            Kind.ECM,
            f"ECM {self._count} for {service}, {len(request.section)} bytes"
            f" for card {format_share_id(share_id)}",
            number=self._count,
            share_id=format_share_id(share_id),
            table=f"{request.section[0]:02X}",
            length=len(request.section),
            **_service(request.caid, request.ident, request.sid),
        )

    def _on_emm(self, flag: int, payload: bytes) -> None:
        emm = parse_emm(payload)
        self._count += 1
        self._wait(self._emms, flag, emm.share_id)
        caid, ident = format_caid(emm.caid), format_ident(emm.ident)
        self._tell(
            Sender.CLIENT,
            Kind.EMM,
            f"EMM {self._count} for {caid}:{ident}, {len(emm.section)} bytes",
            number=self._count,
            caid=caid,
            ident=ident,
            share_id=format_share_id(emm.share_id),
            length=len(emm.section),
        )

    def _wait(self, waiting: _Waiting, flag: int, share_id: int) -> None:
        if len(waiting) >= OPEN_LIMIT:
            waiting.popitem(last=False)
        waiting[self._count] = _Asked(self._count, flag, self._at, share_id)

    def _take_asked(self, waiting: _Waiting, flag: int) -> _Asked | None:
        """What an answer is to: by its flag in extended mode, else the oldest."""
        if not self._extended:
            return waiting.popitem(last=False)[1] if waiting else None
        named = next((number for number, asked in waiting.items() if asked.flag == flag), None)
        return None if named is None else waiting.pop(named)

    def _on_cw(self, flag: int, payload: bytes) -> None:
        if len(payload) != CW_LENGTH:
            self._answered(flag, "nok1", f"an answer of {len(payload)} bytes, which is no CW")
            return
        if not self._extended:
            self._cipher.skip(BURNT_LENGTH)
        asked = self._take_asked(self._ecms, flag)
        facts: dict[str, Json] = {}
        if self._secrets and (cw := self._unmasked(payload, asked)) is not None:
            facts["cw"] = cw.hex()
        self._tell_answer(asked, "cw", "CW", facts)

    def _unmasked(self, payload: bytes, asked: _Asked | None) -> bytes | None:
        if self._extended:
            return payload
        if self._client is None or asked is None:
            return None  # it is masked with the client's node id and the card that it asked
        number = int.from_bytes(self._client.node_id)
        raw = mask(payload, node_id=number, share_id=asked.share_id)
        return without_signed_shift(raw) if number >> 63 else raw

    def _answered(self, flag: int, result: str, words: str) -> None:
        self._tell_answer(self._take_asked(self._ecms, flag), result, words, {})

    def _tell_answer(
        self, asked: _Asked | None, result: str, words: str, facts: Mapping[str, Json]
    ) -> None:
        seconds = None if asked is None else round(self._at - asked.at, 6)
        number = None if asked is None else asked.number
        to = "an ECM that was not read" if asked is None else f"ECM {number}"
        after = "" if seconds is None else f" after {seconds * 1000:.0f} ms"
        shown = f" {facts['cw']}" if "cw" in facts else ""
        self._tell(
            Sender.SERVER,
            Kind.ANSWER,
            f"answer to {to}{after}: {words}{shown}",
            number=number,
            result=result,
            seconds=seconds,
            **facts,
        )

    def _on_emm_answer(self, flag: int) -> None:
        asked = self._take_asked(self._emms, flag)
        number = None if asked is None else asked.number
        seconds = None if asked is None else round(self._at - asked.at, 6)
        text = f"EMM {number or 'that was not read'} arrived"
        self._tell(Sender.SERVER, Kind.EMM_ANSWER, text, number=number, seconds=seconds)


def _service(caid: int, ident: int, sid: int) -> dict[str, Json]:
    return {"caid": format_caid(caid), "ident": format_ident(ident), "sid": format_sid(sid)}


def _card_words(offer: Offer) -> str:
    idents = ", ".join(format_ident(each.ident) for each in offer.providers) or "no provider"
    return (
        f"card {format_share_id(offer.share_id)}: {format_caid(offer.caid)} with {idents};"
        f" hop {offer.hop}, reshare {offer.reshare}"
    )


def _card_facts(offer: Offer) -> dict[str, Json]:
    return {
        "share_id": format_share_id(offer.share_id),
        "remote_id": f"{offer.remote_id:08X}",
        "caid": format_caid(offer.caid),
        "idents": [format_ident(each.ident) for each in offer.providers],
        "hop": offer.hop,
        "reshare": offer.reshare,
        "assigned_sids": [format_sid(sid) for sid in offer.assigned_sids],
        "rejected_sids": [format_sid(sid) for sid in offer.rejected_sids],
        "path": [format_node_id(node) for node in offer.path],
    }


def _shown(name: bytes) -> str:
    text = name.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "?" for char in text)
