"""The interface between a conversion and its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..buffers.garbage import Garbage
    from ..raw_buffer import RawBufferLibrary
    from ..report import ConversionReport
    from ..resources.memory import MemoryPlan
    from ..writing.pipeline import Pipeline

__all__ = ["Outputs"]


class Outputs(Protocol):
    """Takes the rows of a conversion: writes them, or compares them with a file.

    :class:`.OutputFiles` describes the methods. ``writer_of`` returns None for a file
    whose rows are not wanted.

    Attributes
    ----------
    pipeline
        threads for the work on rows.
    """

    pipeline: Pipeline

    def __enter__(self) -> Any: ...

    def __exit__(self, *error: object) -> None: ...

    def check(self, files: Iterable[str]) -> None: ...  # noqa: D102

    def open(self, rb_lib: RawBufferLibrary, plan: MemoryPlan) -> None: ...  # noqa: D102

    def check_garbage(self) -> None: ...  # noqa: D102

    def writer_of(self, file: str) -> Any: ...  # noqa: D102

    def write_garbage(self, garbage: Garbage) -> str | None: ...  # noqa: D102

    def describe(self, columns: dict[str, dict[str, str]]) -> None: ...  # noqa: D102

    def complete(self) -> None: ...  # noqa: D102

    def finish(self, report: ConversionReport) -> None: ...  # noqa: D102

    def discard(self) -> None: ...  # noqa: D102
