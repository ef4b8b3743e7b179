"""The errors that cccamd raises on purpose, all together in one tree.

CccamdError                         anything a person may be shown as one clear sentence
|-- ConfigError                     a configuration file that cannot be used at all
|   '-- ConfigFileError             ... because it cannot be read         (cccamd.setup.files)
|       '-- ConfigFileMissingError  ... because there is none             (cccamd.setup.files)
|-- NumberError                     a text is not the number or address it should be
|-- LocalProtocolError              the protocol core was misused         (cccamd.wire.link)
|-- FramingError                    a stream that is not dvbapi          (cccamd.wire.dvbapi)
|-- ConnectError                    no login at a server, and how far     (cccamd.net)
|-- CallError                       a server of others, not to be called    (cccamd.net)
|-- ConnectionLost                  ... or it ended later                 (cccamd.net)
|-- ListenError                     a port that is not to be had          (cccamd.net)
|-- CannotDecode                    a card: not this service              (cccamd.localcards)
|-- CardUnavailable                 a card: not now                       (cccamd.localcards)
|-- EmmRefused                      a card: this EMM changed nothing      (cccamd.localcards)
|-- CardKindError                   an installed kind of card is broken   (cccamd.localcards)
|-- JournalError                    the journal cannot be used            (cccamd.watch.journal)
|   '-- DamagedError                its file is damaged       (cccamd.watch.journal.database)
|-- PairingError                    the key or list of paired servers   (cccamd.setup.pairing)
|-- BackupError                     nothing saved or restored         (cccamd.setup.backup)
|-- StartOptionError                not as the original is started    (cccamd.cli.oldname)
|-- ServiceError                    no service of this system, or not so    (cccamd.service)
|-- NoAnswer                        a running server cannot be asked      (cccamd.cli.webreader)
|   '-- NotKnown                    ... or knows no such thing            (cccamd.cli.webreader)
|-- EditError                       an account cannot be changed so   (cccamd.setup.cccamcfg)
|-- FormError                       what a browser sent is no form of ours  (cccamd.web.forms)
|-- OrderError                      a line is no order, or no answer      (cccamd.acting)
|-- NoServerError                   nobody who could be told              (cccamd.acting)
|-- LostServerError                 ... or it ended meanwhile             (cccamd.acting)
|-- ServiceError                    who cannot be sent messages           (cccamd.notify)
|-- NotToBeHad                      nothing to enter in a program     (cccamd.cli.deeds.client)
|-- CaptureError                    no capture, or a damaged one          (cccamd.decode)
|-- FreezeError                     no such freeze, or no report of it    (cccamd.cli.freezeview)
|-- StorageError                    a card's key file                     (cccamd.lab.storage)
|-- CasError                        the open test CAS                     (cccamd.lab.cas)
|-- TsError                         a broken transport stream             (cccamd.lab.ts)
'-- CsaLibraryMissing               libdvbcsa is not installed            (cccamd.lab.ts)

Where no room is named they are declared here. What else is ours is caught in its own room, which
makes an event or a message of it:

MalformedError          bytes that are no message          (cccamd.wire.cccam.cursor)
'-- TruncatedError      ... because some are missing       (cccamd.wire.cccam.cursor)
OversizedFrameError     a frame that nobody would send     (cccamd.wire.cccam.frames)
FrameError              bytes that are no frame            (cccamd.wire.newcamd.frames)
Incomplete              a message that has not all come    (cccamd.wire.dvbapi.framing)
CaPmtError              a CA_PMT that names no service     (cccamd.wire.dvbapi.capmt)
LineRefusedError        a line of CCcam.cfg                (cccamd.setup.cccamcfg.diagnostics)
NoTime                  a time server                      (cccamd.machine.clock)
BrokerError             no session at an MQTT broker       (cccamd.mqtt.broker)
EngineError             no talking to a fleet's engine     (cccamd.fleet.troubles)
WorkerEnded             the process with the socket gone   (cccamd.workers.remote)
WorkerFailure           what went wrong in a worker        (cccamd.workers.crew)
"""

from typing import TypeVar

E = TypeVar("E", bound=BaseException)


class CccamdError(Exception):
    """Root of all errors whose text is meant for a person."""


class ConfigError(CccamdError):
    """A configuration, or a file it names, cannot be used at all."""


class NumberError(CccamdError, ValueError):
    """A text is not the number or address that was expected of it."""


def bare(error: E) -> E:
    """An error to be kept: without the frames that it came through, nor those of what it came of.

    They hold all their variables and those of their callers, and one of them often holds the place
    where the error is kept: such a circle stays until Python looks for it.
    """
    one: BaseException | None = error
    while one is not None:
        one.__traceback__ = None
        one = one.__cause__ or one.__context__
    return error
