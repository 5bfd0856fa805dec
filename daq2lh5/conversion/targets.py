"""Targets: the output files and buffers of one conversion."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from .. import formats
from ..buffers.fields import MaskedKeywords, fill_in_field
from ..buffers.merge_specs import merge_specs
from ..buffers.out_spec import OutSpec, parse_out_spec
from ..buffers.places import Place, as_out_stream
from ..buffers.table_settings import SETTINGS, TableSettings
from ..errors import OutSpecError, UndefinedKeywordError, did_you_mean, show
from ..raw_buffer import RawBufferLibrary
from ..reading.magic import without_ending
from ..resources.paths import (
    bound_variables,
    expand_home,
    expand_path,
    expand_variables,
)
from ..selection.checks import check_processing
from ..selection.templates import final_file
from ..utils import is_spec_file, load_dict, load_if_dict
from .channel_maps import load_channel_map

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .channel_maps import ChannelMaps

__all__ = [
    "Target",
    "check_decoder_names",
    "default_output",
    "load_spec",
    "target_for",
    "target_in",
    "target_of",
]

OneSpec: TypeAlias = "str | os.PathLike[str] | dict | RawBufferLibrary | None"
OutSpecs: TypeAlias = "OneSpec | list[str | os.PathLike[str] | dict]"
"""Types of `out_spec`."""

_FIELD = re.compile(
    # with attributes and items: {run.number}, {run[0]}
    r"\{\{|\}\}|\{([A-Za-z_]\w*)((?:\.\w+|\[[^\[\]{}]+\])*)(?:![rsa])?(?::[^{}]*)?\}",
    re.ASCII,
)


@dataclass(frozen=True)
class Target:
    """The output of a conversion.

    Attributes
    ----------
    rb_lib
        the buffers of the specification; None for one table of each decoder.
    file
        the output file if `rb_lib` is None.
    unused
        keywords that the specification does not use.
    """

    rb_lib: RawBufferLibrary | None
    file: str
    unused: list[str]

    @property
    def files(self) -> list[str]:
        """The files whose names do not depend on the input's content."""
        if self.rb_lib is None:
            return [Place.of(self.file, "").file]
        files = [final_file(d, rb) for d, rb in self.rb_lib.buffers()]
        return [f for f in dict.fromkeys(files) if f]

    @property
    def templates(self) -> list[str]:
        """The names of files that depend on the input's content, not filled in."""
        if self.rb_lib is None:
            return []
        found = [rb for d, rb in self.rb_lib.buffers() if final_file(d, rb) is None]
        return [name for name in dict.fromkeys(rb.out_stream for rb in found) if name]

    @property
    def settings(self) -> TableSettings:
        """How all tables are written, by the specification."""
        return TableSettings() if self.rb_lib is None else self.rb_lib.settings


def load_spec(
    out_spec: OutSpecs, channel_map: ChannelMaps = None
) -> str | OutSpec | RawBufferLibrary | None:
    """Load and parse an output specification.

    Parameters
    ----------
    out_spec
        the user's. A file is a specification by its extension, in any spelling, or by
        its content. Any other name is that of an output. The fragments in a list are
        merged, see :func:`.merge_specs`.
    channel_map
        see :func:`.load_channel_map`.

    Returns
    -------
    spec
        the specification; names of outputs and libraries are returned as they are.

    Raises
    ------
    OutSpecError
        (a ValueError) if it is not a valid specification.
    TypeError
        if `out_spec` is of another type.
    """
    if isinstance(out_spec, (list, tuple)) and len(out_spec) == 1:
        return load_spec(out_spec[0], channel_map)
    if out_spec is None or isinstance(out_spec, RawBufferLibrary):
        _refuse_map(channel_map)
        return out_spec
    if isinstance(out_spec, (list, tuple)):
        out_spec = _merged(out_spec)
    content = _content_of(out_spec)
    if content is None:
        _refuse_map(channel_map)
        return os.fsdecode(out_spec)
    check_decoder_names(content)
    return parse_out_spec(content, load_channel_map(channel_map))


def _refuse_map(channel_map: ChannelMaps) -> None:
    if channel_map is not None:
        msg = (
            "a channel map names and selects channels in an output specification: give "
            "one (out_spec, -o)"
        )
        raise OutSpecError(msg)


def _merged(fragments: list | tuple) -> dict[str, Any]:
    """Load the fragments of a specification and merge them."""
    loaded: list[tuple[str, dict]] = []
    for number, fragment in enumerate(fragments, 1):
        if isinstance(fragment, RawBufferLibrary):
            msg = "a library of buffers must be the only out_spec: it cannot be merged"
            raise OutSpecError(msg)
        content = _content_of(fragment)
        if content is None:
            msg = (
                f"{show(os.fsdecode(fragment))} is the name of an output: it must be "
                "the only out_spec (-o); several must be specifications, which have "
                "an out_stream for each buffer"
            )
            raise OutSpecError(msg)
        is_dict = isinstance(fragment, dict)
        name = f"specification {number}" if is_dict else os.fsdecode(fragment)
        loaded.append((name, content))
    if not loaded:
        msg = "out_spec is an empty list: expected specifications"
        raise OutSpecError(msg)
    return merge_specs(loaded)


def _content_of(out_spec: Any) -> dict | None:
    """Return the dictionary of a specification; None for the name of an output."""
    if isinstance(out_spec, dict):
        return out_spec
    if not isinstance(out_spec, (str, os.PathLike)):
        kind = type(out_spec).__name__
        msg = f"out_spec is a {kind}; expected a name, a dictionary or a library"
        raise TypeError(msg)
    name = expand_path(out_spec)
    if not name:
        msg = "the output has no name: out_spec is empty"
        raise OutSpecError(msg)
    content = load_dict(name) if is_spec_file(name) else load_if_dict(name)
    if content is None and not is_spec_file(name):
        return None
    if not isinstance(content, dict):
        msg = f"{name} is not an output specification: it is {show(content)}"
        raise OutSpecError(msg)
    return content


def target_of(
    out_spec: OutSpecs,
    in_stream: str,
    keywords: dict[str, Any],
    channel_map: ChannelMaps = None,
) -> Target:
    """Return the target of an input.

    In a dictionary of the user names and keys are expanded, unless there is an error.

    Parameters
    ----------
    out_spec, in_stream, keywords, channel_map
        see :func:`load_spec` and :func:`target_for`.
    """
    spec = load_spec(out_spec, channel_map)
    target = target_for(spec, in_stream, keywords)
    if isinstance(spec, OutSpec) and isinstance(out_spec, dict):
        spec.write_back(out_spec)
    return target


def target_for(
    spec: str | OutSpec | RawBufferLibrary | None,
    in_stream: str,
    keywords: dict[str, Any],
) -> Target:
    """Return the target of an input for a specification that is loaded.

    Parameters
    ----------
    spec
        result of :func:`load_spec`. One specification serves for many inputs.
    in_stream
        name of the input.
    keywords
        values of keywords.

    Raises
    ------
    OutSpecError
        (a ValueError) if the specification does not fit the keywords, has no output, or
        has invalid processing.
    """
    if spec is None:
        if in_stream == "-":
            msg = "standard input has no name: give that of the output (out_spec, -o)"
            raise OutSpecError(msg)
        file = as_out_stream(default_output(in_stream))
        return Target(None, file, _unused(keywords, set()))
    if isinstance(spec, str):
        return _target_named(spec, keywords)
    used: set[str] = set()
    if isinstance(spec, RawBufferLibrary):
        library = spec.for_conversion()
    else:
        library = RawBufferLibrary()
        library.add(spec.fill_in(keywords, lenient=False))
        used = spec.fields
    if len(library.get("*", ())) > 1:
        msg = "'*' stands for all other decoders: it can have only one buffer"
        raise OutSpecError(msg)
    if not any(rb.out_stream for _, rb in library.buffers()):
        msg = "no buffer of the output specification has an out_stream"
        raise OutSpecError(msg)
    for _, rb in library.buffers():
        check_processing(rb)
    return Target(library, "", _unused(keywords, used))


def default_output(in_stream: str) -> str:
    """Return the input's name with the extension ``lh5`` instead of its own.

    Compressed files lose both extensions.
    """
    path = without_ending(Path(in_stream.removeprefix("file://")))
    return str(path.with_suffix("")) + ".lh5"


def check_decoder_names(out_spec: dict) -> None:
    """Check that all decoders of a specification exist.

    Raises
    ------
    OutSpecError
        (a ValueError) with the nearest known name.
    """
    known = formats.known_decoders()
    for name in out_spec:
        if name not in ("*", *SETTINGS) and name not in known:
            hint = did_you_mean(str(name), [*known, *SETTINGS])
            msg = f"no format has a decoder {show(name)}{hint}"
            raise OutSpecError(msg)


def target_in(folder: str, basename: str, keywords: dict[str, Any]) -> Target:
    """Return the target for all data of an input in a folder.

    Parameters
    ----------
    folder
        result of :func:`load_spec`.
    basename
        name of the file without its extension.
    keywords
        values of keywords in the folder's name.
    """
    folder, used = _expand_output(folder, keywords)
    file = as_out_stream(os.path.join(folder, f"{basename}.lh5"))
    return Target(None, file, _unused(keywords, used))


def _target_named(name: str, keywords: dict[str, Any]) -> Target:
    """Return the target for the name of an output, which may have keywords."""
    name, used = _expand_output(name, keywords)
    name = as_out_stream(name)
    place = Place.of(name, "table")
    place.check_file("output")
    place.check_path(f"output {show(name)}")
    return Target(None, name, _unused(keywords, used))


def _expand_output(name: str, keywords: dict[str, Any]) -> tuple[str, set[str]]:
    """Fill in keywords and environment variables in the name of an output.

    In this order: a value of either is text, in which braces and ``$`` are literal.

    Returns
    -------
    name
        the expanded name.
    used
        names of the keywords in it.
    """
    expanded = expand_path(name)
    if os.path.exists(expanded):
        return expanded, set()
    masked = MaskedKeywords(keywords, keywords)
    filled, used = _fill_in_output(bound_variables(name), masked)
    return expand_home(expand_variables(filled)), used


def _fill_in_output(name: str, keywords: Mapping[str, Any]) -> tuple[str, set[str]]:
    """Fill in the keywords in the name of an output; return their names, too."""
    used: set[str] = set()
    out: list[str] = []
    end = 0
    for found in _FIELD.finditer(name):
        out.append(name[end : found.start()])
        end = found.end()
        field = found[1]
        if field is None:
            # doubled
            out.append(found[0][0])
        elif found[0] == f"{{{field}}}" and name[: found.start()].endswith("$"):
            # an environment variable
            out.append(found[0])
        elif field in keywords:
            used.add(field)
            out.append(fill_in_field(found[0], keywords, f"output {show(name)}"))
        elif _is_folder("".join(out) + name[found.start() :].partition("/")[0]):
            out.append(found[0])
        else:
            msg = (
                f"'{field}' in the output {show(name)} is not defined: no such "
                "keyword (if the brace is part of the file's name, write it twice)"
            )
            raise UndefinedKeywordError(msg)
    return "".join(out) + name[end:], used


def _is_folder(name: str) -> bool:
    return os.path.isdir(expand_home(expand_variables(name, lenient=True)))


def _unused(keywords: dict[str, Any], used: set[str]) -> list[str]:
    """Return the keywords that the specification does not use."""
    return [k for k in keywords if k not in used and k != "orig_basename"]
