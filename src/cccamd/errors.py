"""The errors that cccamd raises on purpose.

    CccamdError                  anything a person may be shown as one clear sentence
    |-- ConfigError              a configuration that cannot be used at all
    |-- NodeIdError              text or a file that holds no node id
    |-- LocalProtocolError       we asked the protocol core for something illegal: our bug
    '-- RemoteProtocolError      the peer broke the protocol; carries its CloseReason

The two protocol errors live in `cccamd.wire.closing`, next to what raises them.
"""


class CccamdError(Exception):
    """Root of all errors whose text is meant for a person."""


class ConfigError(CccamdError):
    """A configuration, or a file it names, cannot be used at all."""


class NodeIdError(CccamdError):
    """A text is not a node id (16 hex digits)."""
