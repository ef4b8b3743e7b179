"""newcamd, both sides (docs/newcamd-protocol.md)."""

from cccamd.wire.newcamd.client import NewcamdClient
from cccamd.wire.newcamd.events import (
    MessageIgnored,
    OneAtATime,
    OtherCard,
)
from cccamd.wire.newcamd.frames import (
    LONGEST,
    SHORTEST,
    Form,
    Frame,
    FrameCutter,
    FrameError,
    Header,
    decipher,
    find_form,
    make_message,
    parse_frame,
    serialize_frame,
)
from cccamd.wire.newcamd.keys import (
    BLOCK_LENGTH,
    GREETING_LENGTH,
    FrameCipher,
    hash_password,
    login_cipher,
    session_cipher,
    spread,
)
from cccamd.wire.newcamd.login import NewcamdCaller, NewcamdTarget
from cccamd.wire.newcamd.messages import (
    ONLY_CARD,
    CardData,
    Command,
    Login,
    program_of,
)
from cccamd.wire.newcamd.server import NewcamdServer

__all__ = [
    "BLOCK_LENGTH",
    "GREETING_LENGTH",
    "LONGEST",
    "ONLY_CARD",
    "SHORTEST",
    "CardData",
    "Command",
    "Form",
    "Frame",
    "FrameCipher",
    "FrameCutter",
    "FrameError",
    "Header",
    "Login",
    "MessageIgnored",
    "NewcamdCaller",
    "NewcamdClient",
    "NewcamdServer",
    "NewcamdTarget",
    "OneAtATime",
    "OtherCard",
    "decipher",
    "find_form",
    "hash_password",
    "login_cipher",
    "make_message",
    "parse_frame",
    "program_of",
    "serialize_frame",
    "session_cipher",
    "spread",
]
