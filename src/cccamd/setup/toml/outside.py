"""What tables say of a server of others that is called: a broker, an engine."""

from typing import Final

_HOST_LENGTH: Final = 253


def check_host(text: str) -> None:
    """Let the name or the address of a machine pass."""
    if not 0 < len(text) <= _HOST_LENGTH or not text.isprintable() or set(" /@") & set(text):
        raise ValueError


def check_line(text: str) -> None:
    """Let a user name or a password pass; the message must not repeat it."""
    if not text or "\0" in text:
        raise ValueError


def check_login(user: str | None, password: str | None, password_file: str | None) -> None:
    """A login is a user and one way to the password, or nothing.

    Raises:
        ValueError: it is not.
    """
    if password is not None and password_file is not None:
        raise ValueError("expected password or password_file, not both")
    if user is None and (password is not None or password_file is not None):
        raise ValueError("expected user too: a password belongs to a user")
