"""Targets: the output files and buffers of one input, from the specification."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import formats
from ..buffers.out_spec import MaskedKeywords, fields_of, fill_in_field
from ..buffers.places import (
    as_out_stream,
    check_file,
    check_place,
    is_folder,
    split_out_stream,
)
from ..errors import OutSpecError, UndefinedKeywordError, did_you_mean, show
from ..raw_buffer import RawBufferLibrary, check_processing
from ..reading.magic import without_ending
from ..resources.paths import (
    bound_variables,
    expand_home,
    expand_path,
    expand_variables,
)
from ..selection.templates import final_out_stream
from ..utils import is_spec_file, load_dict, load_if_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Target",
    "check_decoder_names",
    "default_output",
    "load_spec",
    "target_for",
    "target_in",
    "target_of",
]

_FIELD = re.compile(
    # with attributes and items: {run.number}, {run[0]}
    r"\{\{|\}\}|\{([A-Za-z_]\w*)((?:\.\w+|\[[^\[\]{}]+\])*)(?:![rsa])?(?::[^{}]*)?\}",
    re.ASCII,
)


@dataclass(frozen=True)
class Target:
    """Where a conversion writes.

    Attributes
    ----------
    rb_lib
        the buffers of the specification; None for one table of each kind.
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
            places = [self.file]
        else:
            known = (final_out_stream(d, rb) for d, rb in self.rb_lib.buffers())
            places = [out_stream for out_stream in known if out_stream]
        files = (split_out_stream(place)[0] for place in places)
        return [f for f in dict.fromkeys(files) if f]


def load_spec(
    out_spec: str | os.PathLike[str] | dict | RawBufferLibrary | None,
) -> str | dict | RawBufferLibrary | None:
    """Load an output specification from a file.

    A specification is recognized by its extension, in any spelling, or by its content.
    Any other name is that of an output; it is returned unchanged.
    """
    if out_spec is None or isinstance(out_spec, dict):
        return out_spec
    if not isinstance(out_spec, (str, os.PathLike)):
        kind = type(out_spec).__name__
        msg = f"out_spec is a {kind}: neither name nor dictionary"
        raise TypeError(msg)
    name = expand_path(out_spec)
    if not name:
        msg = "the output has no name: out_spec is empty"
        raise OutSpecError(msg)
    content = load_dict(name) if is_spec_file(name) else load_if_dict(name)
    if content is None and not is_spec_file(name):
        return os.fsdecode(out_spec)
    if not isinstance(content, dict):
        msg = f"{name} is not an output specification: it is {show(content)}"
        raise OutSpecError(msg)
    return content


def target_of(
    out_spec: str | os.PathLike[str] | dict | RawBufferLibrary | None,
    in_stream: str,
    keywords: dict[str, Any],
) -> Target:
    """Return the target of an input.

    Parameters
    ----------
    out_spec
        the user's, or the result of :func:`load_spec`.
    in_stream
        name of the input.
    keywords
        values of keywords.

    Raises
    ------
    OutSpecError
        (a ValueError) if the specification is invalid.
    TypeError
        if it has the wrong type.
    """
    spec = load_spec(out_spec)
    if spec is None:
        if in_stream == "-":
            msg = "standard input has no name for the output: give one (out_spec, -o)"
            raise OutSpecError(msg)
        file = as_out_stream(default_output(in_stream))
        return Target(None, file, _unused(keywords, set()))
    if isinstance(spec, str):
        return _target_named(spec, keywords)
    used: set[str] = set()
    if isinstance(spec, RawBufferLibrary):
        library = RawBufferLibrary.for_conversion(spec, keywords)
    else:
        check_decoder_names(spec)
        library = RawBufferLibrary.for_conversion(spec, keywords)
        used = _fields_in(spec)
    if len(library.get("*", ())) > 1:
        msg = "'*' stands for all other decoders: it can have one buffer only"
        raise OutSpecError(msg)
    if not any(rb.out_stream for _, rb in library.buffers()):
        msg = "no buffer of the output specification has an out_stream"
        raise OutSpecError(msg)
    for _, rb in library.buffers():
        check_processing(rb)
    return Target(library, "", _unused(keywords, used))


def target_for(
    spec: str | dict | RawBufferLibrary | None,
    in_stream: str,
    keywords: dict[str, Any],
) -> Target:
    """Return the target of one of many inputs.

    Parameters
    ----------
    spec
        result of :func:`load_spec`; the name of a folder stands for a file in it, with
        the name `orig_basename`.
    in_stream
        name of the input.
    keywords
        values of keywords, `orig_basename` among them.
    """
    if isinstance(spec, str) and is_folder(expand_path(spec)):
        return target_in(spec, keywords["orig_basename"], keywords)
    return target_of(spec, in_stream, keywords)


def default_output(in_stream: str) -> str:
    """Return the input's name with the extension ``lh5`` instead of its own.

    Compressed files lose both extensions.
    """
    path = without_ending(Path(in_stream.removeprefix("file://")))
    return str(path.with_suffix("")) + ".lh5"


def check_decoder_names(out_spec: dict) -> None:
    """Refuse unknown decoder names.

    Raises
    ------
    OutSpecError
        with the nearest known name.
    """
    known = formats.known_decoders()
    for name in out_spec:
        if name != "*" and name not in known:
            hint = did_you_mean(str(name), known)
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
    check_file(name, "output")
    check_place(name, "table", f"output {show(name)}")
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
    """Fill in the keywords in the name of an output; return also which they were."""
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
                f"'{field}' in the output {show(name)} is not defined: no keyword is "
                "called so (if the name of the file has this brace, write it twice)"
            )
            raise UndefinedKeywordError(msg)
    return "".join(out) + name[end:], used


def _is_folder(name: str) -> bool:
    return os.path.isdir(expand_home(expand_variables(name, lenient=True)))


def _fields_in(spec: dict) -> set[str]:
    """Return the names of all fields in an expanded specification."""
    fields: set[str] = set()
    for buffers in spec.values():
        for info in buffers.values():
            for field in ("out_stream", "out_name"):
                if field in info:
                    fields |= fields_of(str(info[field]))
    return fields


def _unused(keywords: dict[str, Any], used: set[str]) -> list[str]:
    """Return the keywords that the specification does not use."""
    return [k for k in keywords if k not in used and k != "orig_basename"]
