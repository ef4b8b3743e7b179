"""The errors that cccamd raises on purpose, all together in one tree.

CccamdError                  anything a person may be shown as one clear sentence
|-- ConfigError              a configuration file that cannot be used at all
|   '-- ConfigFileError      ... because it cannot be read          (cccamd.setup.files)
|-- NumberError              a text that is not the number or address it should be
|-- LocalProtocolError       the protocol core was misused: our bug (cccamd.wire.cccam)
|-- ListenError              a port that is not to be had           (cccamd.net)
|-- CannotDecode, CardUnavailable, EmmRefused                       (cccamd.localcards)
|-- StorageError             a card's key file                      (cccamd.lab.storage)
|-- CasError                 the open test CAS                      (cccamd.lab.cas)
|-- TsError                  a broken transport stream              (cccamd.lab.ts)
'-- CsaLibraryMissing        libdvbcsa is not installed             (cccamd.lab.ts)
"""


class CccamdError(Exception):
    """Root of all errors whose text is meant for a person."""


class ConfigError(CccamdError):
    """A configuration, or a file it names, cannot be used at all."""


class NumberError(CccamdError, ValueError):
    """A text is not the number or address that was expected of it."""
