"""Named pipes that are written to."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def fed(path: Path, data: bytes, piece: int) -> Iterator[None]:
    """Write to a named pipe, a piece at a time."""

    def feed() -> None:
        with path.open("wb", buffering=0) as pipe:
            for start in range(0, len(data), piece):
                pipe.write(data[start : start + piece])

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield
    finally:
        thread.join(20)
        assert not thread.is_alive()
