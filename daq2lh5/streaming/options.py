"""Options of conversions that belong to one format."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FormatOption"]


@dataclass(frozen=True)
class FormatOption:
    """An option that the streamer of one format takes as a keyword.

    Attributes
    ----------
    name
        the keyword of the streamer, :func:`.get_streamer`, :func:`.open_stream` and
        :func:`.build_raw`.
    types
        types of its values.
    kind
        the type in messages to the user.
    text
        description for the user.
    is_path
        whether ``~`` and environment variables in it are expanded.
    names_format
        whether the option implies that the input is of the format.
    """

    name: str
    types: tuple[type, ...]
    kind: str
    text: str
    is_path: bool = False
    names_format: bool = False
