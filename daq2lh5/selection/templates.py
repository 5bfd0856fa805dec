"""Templates of buffers, filled in with the decoders and keys of a stream."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from ..buffers.fields import fields_of, fill_in, fill_in_field
from ..buffers.places import Place
from ..errors import OutSpecError, UndefinedKeywordError, show
from ..raw_buffer import RawBufferList

if TYPE_CHECKING:
    from ..data_decoder import DataDecoder
    from ..raw_buffer import RawBuffer


# doubled braces are literal
_KEY = re.compile(r"(?<!\{)(?:\{\{)*\{key\b")


def buffers_for(template: RawBuffer, name: str, decoder: DataDecoder) -> RawBufferList:
    """Make the buffers of a decoder from the template of the decoder ``*``."""
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
    """Whether the name of a buffer, or of its file, has the field ``{key}``."""
    if rb.names_are_final:
        return False
    return bool(_KEY.search(rb.out_name) or _KEY.search(rb.out_stream))


def final_file(decoder: str, rb: RawBuffer) -> str | None:
    """Return the name of a buffer's file; None if it depends on the input.

    Parameters
    ----------
    decoder
        the buffer's decoder in the specification; may be ``*``.
    rb
        a buffer whose wildcards are not expanded yet.
    """
    if decoder != "*" and not names_key(rb):
        return rb.place.file
    try:
        if fields_of(rb.out_stream):
            return None
        return Place.of(rb.out_stream.format(), rb.out_name).file
    except ValueError:
        return None


def _suffixes(key_lists: list[list]) -> list[str]:
    """Return suffixes for the names of a decoder's tables, one for each list of keys.

    The suffix of a single key is the key, that of a longer list its number; if that is
    also a key of another list, one of the list's own keys.
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
    """Make one buffer of a decoder from the template of the decoder ``*``."""
    short = {"name": name.removesuffix("Decoder")}
    again = names_key(template)

    def filled(text: str) -> str:
        return fill_in_field(text, short, show(text), ("key",), again)

    rb = template.derive(
        key_list,
        filled(template.out_stream),
        filled(template.out_name) + suffix,
        lambda alias: filled(alias) + suffix,
    )
    rb.names_are_final = not again
    return rb


def for_key(template: RawBuffer, key: object) -> RawBuffer:
    """Make the buffer of one key from a template with ``{key}``."""
    rb = template.derive(
        [key],
        _with_key(template.out_stream, key),
        _with_key(template.out_name, key),
        lambda alias: _with_key(alias, key),
    )
    rb.names_are_final = True
    return rb


def _with_key(text: str, key: object) -> str:
    """Fill in a key, converted to text or number as the format needs it."""
    for fitting in (key, str(key), *([int(key)] if str(key).isdecimal() else [])):
        try:
            return fill_in(text, {"key": fitting})
        except KeyError as e:
            msg = f"{e} in {show(text)} is not defined"
            raise UndefinedKeywordError(msg) from None
        except ValueError:
            continue
    msg = (
        f"'{text}' cannot be filled in with the key {key!r}: give that key to another "
        "buffer (a pattern like '[0-9]*' is for numbers only)"
    )
    raise OutSpecError(msg)
