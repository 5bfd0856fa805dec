"""Options of CoMPASS files."""

from __future__ import annotations

import os

from ..streaming.options import FormatOption

__all__ = ["OPTIONS"]

OPTIONS = (
    FormatOption(
        "compass_config_file",
        (str, os.PathLike),
        "text",
        "settings file; by default the one beside the data",
        is_path=True,
        names_format=True,
    ),
    FormatOption(
        "compass_layout",
        (str,),
        "text",
        "layout of records in files without a header; by default detected",
        names_format=True,
    ),
    FormatOption(
        "compass_sampling_period",
        (int, float),
        "a number",
        "time between samples in ns, for boards without one in the settings",
        names_format=True,
    ),
)
