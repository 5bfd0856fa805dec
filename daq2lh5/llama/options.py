"""Options of llamaDAQ files."""

from __future__ import annotations

from ..streaming.options import FormatOption

__all__ = ["OPTIONS"]

OPTIONS = (
    FormatOption(
        "llama_time_zone",
        (str,),
        "the name of a time zone",
        "time zone of the times in file names, such as Europe/Rome; by default UTC",
    ),
)
