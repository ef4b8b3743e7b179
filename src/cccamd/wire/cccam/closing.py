"""Why a connection ended, and the one error that is our own fault."""

from enum import Enum

from cccamd.errors import CccamdError


class CloseReason(Enum):
    """Why a connection ended; the value is the sentence for people."""

    LOCAL = "closed by us"
    PEER_CLOSED = "the peer closed the connection"
    NO_SEED = "no seed came within the time: no CCcam server answers there, or it is overloaded"
    NOT_CCCAM = "the peer does not speak the CCcam protocol"
    NO_ANSWER_TO_LOGIN = "the server did not answer the login in time"
    LOGIN_TIMEOUT = "the login was not finished within the time"
    TOO_MANY_LOGINS = "newer logins needed its place"
    CONFIG_CHANGED = "its F-line was removed, or its password, host or version changed"
    SHUTDOWN = "cccamd is stopping"
    UNKNOWN_USER = "no F-line has this user name"
    WRONG_PASSWORD = "wrong password for this user name"
    WRONG_ADDRESS = "the F-line allows this user from another host only"
    ALREADY_CONNECTED = "this user is connected already; one F-line is one client"
    OLD_VERSION = "its version is below MINIMUM CLIENT VERSION"
    LOGIN_REFUSED = (
        "the server closed the connection after user name and password: user unknown, another"
        " password, user connected already, or address not allowed; its log says which"
    )
    GARBAGE = "the bytes received are no frames"
    MALFORMED_LOGIN = "the peer introduced itself with a malformed message"
    SILENT = "nothing was received for too long"
    INTERNAL_ERROR = "an error of cccamd itself; its log says more"
    NOT_READING = "the peer does not read what it is sent"
    NO_ANSWER = "an ECM was not answered; in plain mode nothing more can be asked then"


class LocalProtocolError(CccamdError):
    """The protocol core was asked for something illegal: a bug of ours."""
