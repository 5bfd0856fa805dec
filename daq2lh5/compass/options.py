"""Options of conversions that belong to CoMPASS."""

from __future__ import annotations

import os

from ..streaming.options import FormatOption

__all__ = ["OPTIONS"]

OPTIONS = (
    FormatOption(
        "compass_config_file",
        (str, os.PathLike),
        "text",
        "settings file; by default one beside the data",
        is_path=True,
        names_format=True,
    ),
    FormatOption(
        "compass_layout",
        (str,),
        "text",
        "columns of records in files without a header; by default detected",
        names_format=True,
    ),
    FormatOption(
        "compass_sampling_period",
        (int, float),
        "a number",
        "time between samples in ns, where the settings have none",
        names_format=True,
    ),
)
