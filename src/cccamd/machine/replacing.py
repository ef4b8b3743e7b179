"""Files that are replaced as a whole.

A reader finds the old content or the new one, also after a power cut or kill -9 at any moment:
the new content is complete on the disk before it gets the file's name.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

OWNER_ONLY: Final = 0o600


def replace_file(
    path: Path,
    data: bytes,
    *,
    mode: int = OWNER_ONLY,
    prepare: Callable[[int], None] = lambda descriptor: None,
) -> None:
    """Write a file in place of the one there; blocks until the disk has it. One writer at a time.

    `prepare` gets the new file's descriptor before anything is written.

    Raises:
        OSError: nothing was changed, or the disk did not confirm the change.
    """
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)  # left by a process that was killed
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "wb") as file:
            prepare(descriptor)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink()  # a disk is not left full of what nobody wants
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the new name itself lives in the folder
    finally:
        os.close(folder)
