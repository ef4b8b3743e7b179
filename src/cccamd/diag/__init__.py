"""What makes a running server understandable. Pure: no sockets, clocks or logging."""

from cccamd.diag.throttle import Throttle

__all__ = ["Throttle"]
