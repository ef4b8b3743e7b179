"""A bounds-checked reader over one message payload."""


class MalformedError(Exception):
    """A payload does not have the form that its command asks for."""


class TruncatedError(MalformedError):
    """A payload ended inside a field."""

    def __init__(self, *, wanted: int, left: int) -> None:
        self.wanted = wanted
        self.left = left

    def __str__(self) -> str:
        return f"a field of {self.wanted} bytes was expected where {self.left} were left"


class Cursor:
    """Reads big-endian fields from front to back; never reads beyond the end."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def left(self) -> int:
        """How many bytes are still unread."""
        return len(self._data) - self._position

    def take(self, length: int) -> bytes:
        """Read `length` bytes.

        Raises:
            TruncatedError: fewer are left.
        """
        if length > self.left:
            raise TruncatedError(wanted=length, left=self.left)
        start = self._position
        self._position += length
        return self._data[start : self._position]

    def number(self, length: int) -> int:
        """Read an unsigned number of `length` bytes.

        Raises:
            TruncatedError: fewer are left.
        """
        return int.from_bytes(self.take(length))
