"""What output specifications leave open, filled in with the keys of a stream."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from .errors import OutSpecError, UndefinedKeywordError, show
from .out_spec import fields_of, fill_in
from .raw_buffer import RawBuffer, RawBufferList

if TYPE_CHECKING:
    from .data_decoder import DataDecoder


# braces that are doubled are no field
_KEY = re.compile(r"(?<!\{)(?:\{\{)*\{key\b")


def buffers_for(template: RawBuffer, name: str, decoder: DataDecoder) -> RawBufferList:
    """Make the buffers of a decoder that only a buffer for all asks for."""
    rbs = RawBufferList()
    key_lists = decoder.get_key_lists()
    for key_list, suffix in zip(key_lists, _suffixes(key_lists), strict=True):
        rbs.append(buffer_for(template, name, key_list, suffix))
    return rbs


def expand_key_names(rbs: RawBufferList) -> None:
    """Replace buffers with ``{key}`` in their names by one for each key."""
    for template in [rb for rb in rbs if names_key(rb)]:
        rbs.remove(template)
        rbs.extend(for_key(template, key) for key in template.key_list)


def names_key(rb: RawBuffer) -> bool:
    """Whether the name of a buffer, or of its file, has a key to be filled in."""
    if rb.names_are_final:
        return False
    return bool(_KEY.search(rb.out_name) or _KEY.search(rb.out_stream))


def final_out_stream(decoder: str, rb: RawBuffer) -> str | None:
    """Return where a buffer is written to, if that is known before the input is.

    Parameters
    ----------
    decoder
        what the specification calls the buffer's decoder.
    rb
        a buffer whose wildcards are not expanded yet.
    """
    if decoder != "*" and not names_key(rb):
        return rb.out_stream
    try:
        return None if fields_of(rb.out_stream) else rb.out_stream.format()
    except ValueError:
        return None


def _suffixes(key_lists: list[list]) -> list[str]:
    """Return what sets the tables of a decoder apart.

    That is the key of a list of one, and the number of any other. Where a number is
    another list's key, one of its own keys stands for the list.
    """
    if len(key_lists) == 1:
        return [""]
    taken = {str(keys[0]) for keys in key_lists if len(keys) == 1}
    suffixes = []
    for i, keys in enumerate(key_lists):
        names = [str(k) for k in keys]
        if len(keys) != 1:
            free = (n for n in (str(i), *names) if n not in taken)
            names = [next(free, "_".join((str(i), *names)))]
            taken.add(names[0])
        suffixes.append(f"_{names[0]}")
    return suffixes


def matches(key: object, patterns: list) -> bool:
    """Whether a key matches one of the patterns."""
    return any(fnmatch.fnmatchcase(str(key), p) for p in patterns)


def buffer_for(
    template: RawBuffer, name: str, key_list: list, suffix: str
) -> RawBuffer:
    """Make the buffer of a decoder from one that is for all."""
    short = {"name": name.removesuffix("Decoder")}
    again = names_key(template)

    def filled(text: str) -> str:
        try:
            return fill_in(text, short, keep=("key",), again=again)
        except KeyError as e:
            msg = f"{e} in {show(text)} is not defined"
            raise UndefinedKeywordError(msg) from None
        except ValueError as e:
            msg = f"{show(text)} cannot be filled in: {e}"
            raise OutSpecError(msg) from None

    rb = RawBuffer(
        key_list=key_list,
        out_stream=filled(template.out_stream),
        out_name=filled(template.out_name) + suffix,
        proc_spec=template.proc_spec,
    )
    rb.names_are_final = not again
    return rb


def for_key(template: RawBuffer, key: object) -> RawBuffer:
    """Make the buffer of one key from one with ``{key}`` in its names."""
    rb = RawBuffer(
        key_list=[key],
        out_stream=_with_key(template.out_stream, key),
        out_name=_with_key(template.out_name, key),
        proc_spec=template.proc_spec,
    )
    rb.names_are_final = True
    return rb


def _with_key(text: str, key: object) -> str:
    """Fill in a key, also where a format for numbers meets text and vice versa."""
    for fitting in (key, str(key), *([int(key)] if str(key).isdecimal() else [])):
        try:
            return fill_in(text, {"key": fitting})
        except KeyError as e:
            msg = f"{e} in {show(text)} is not defined"
            raise UndefinedKeywordError(msg) from None
        except ValueError:
            continue
    msg = (
        f"'{text}' cannot be filled in with the key {key!r}: give that to another "
        "buffer (a pattern like '[0-9]*' is for numbers only)"
    )
    raise OutSpecError(msg)
