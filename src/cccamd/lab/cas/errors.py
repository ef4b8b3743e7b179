"""What the open test CAS refuses."""

from cccamd.errors import CccamdError


class CasError(CccamdError):
    """A section, a key or a key file cannot be used; the text says why, and holds no secret."""
