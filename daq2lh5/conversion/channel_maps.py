"""Channel maps of the user: files, data bases and dictionaries."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..buffers.channel_map import ChannelMap
from ..errors import OutSpecError, show
from ..resources.paths import expand_path
from ..utils import load_dict

if TYPE_CHECKING:
    from typing import TypeAlias

    ChannelMaps: TypeAlias = str | os.PathLike[str] | Mapping[str, Any] | None

__all__ = ["load_channel_map"]

TIMESTAMP = re.compile(r"\d{8}T\d{6}Z")


def load_channel_map(given: ChannelMaps) -> ChannelMap | None:
    """Load a channel map.

    Parameters
    ----------
    given
        a dictionary; the name of a JSON, YAML or TOML file; or a directory of text
        files with a validity file, followed by ``@`` and a time, such as
        ``channelmaps@20230311T235840Z``. That needs the package dbetto.

    Raises
    ------
    FileNotFoundError
        if the file or directory does not exist.
    OutSpecError
        (a ValueError) if the content is not a channel map, or a directory has no time.
    ModuleNotFoundError
        if dbetto is needed, but not installed.
    TypeError
        if `given` is of another type.
    """
    if given is None:
        return None
    if isinstance(given, Mapping):
        return ChannelMap(given)
    if not isinstance(given, (str, os.PathLike)):
        msg = f"channel_map is {show(given)}; expected a dictionary or a name"
        raise TypeError(msg)
    name = expand_path(given)
    if os.path.isfile(name):
        return ChannelMap(load_dict(name), f"channel map {name}")
    folder, _, time = name.rpartition("@")
    if os.path.isdir(name) or (os.path.isdir(folder) and not TIMESTAMP.fullmatch(time)):
        msg = (
            f"channel map {name}: a data base needs a time, as in "
            f"{folder or name}@20230311T235840Z"
        )
        raise OutSpecError(msg)
    if not os.path.isdir(folder):
        msg = f"channel map {name} not found"
        raise FileNotFoundError(msg)
    return ChannelMap(_query(folder, time), f"channel map {name}")


def _query(folder: str, time: str) -> Any:
    """Return the channel map of a data base that is valid at a time."""
    try:
        from dbetto import TextDB  # noqa: PLC0415  (optional)
    except ImportError:
        msg = f"channel map {folder}@{time} needs dbetto: pip install dbetto"
        raise ModuleNotFoundError(msg) from None
    try:
        return TextDB(folder, lazy=True).on(time)
    except Exception as e:
        # dbetto passes on errors of any parser
        msg = f"channel map {folder}@{time}: {e}"
        raise OutSpecError(msg) from e
