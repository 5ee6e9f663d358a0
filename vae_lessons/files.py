"""Files that are there whole or not at all: progress, the models of a sweep, recorded results."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(file: Path) -> Iterator[Path]:
    """A name to write to, which becomes `file` when all is there: a full disk or a kill leaves the file of before.

    Raises:
        OSError: it cannot be written; nothing is left beside `file`.
    """
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
