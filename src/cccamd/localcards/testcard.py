"""The kind `test`: for trying out. It has no keys of its own, and so needs no pydantic."""

from hashlib import sha256

from cccamd.ids import Ident, Sid
from cccamd.localcards.card import ImmediateCard
from cccamd.values import CW_LENGTH, ControlWords, with_checksums


class TestCard(ImmediateCard):
    """The `test` kind: control words that anybody can compute, for trying out a whole chain.

    Decodes any ECM to the first 16 bytes of its SHA-256, checksums put in.

    The hash runs over the section exactly as it came in the request.
    """

    __test__ = False  # the name is the kind's, not that of a test class

    def decode_now(self, ecm: bytes, *, ident: Ident, sid: Sid) -> ControlWords:
        """Decode; never refuses."""
        return ControlWords(with_checksums(sha256(ecm).digest()[:CW_LENGTH]))
