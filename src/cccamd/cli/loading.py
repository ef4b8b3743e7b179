"""Import what stays to the end without looking for garbage in it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def staying() -> Iterator[None]:
    """While modules are imported: to look for garbage in them would be a seventh of what a short
    command costs, now and at every look to come."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
