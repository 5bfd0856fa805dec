"""Output specifications, parsed: which keys go to which table, and how.

:func:`parse_out_spec` checks a specification and expands its names and keys, once.
:meth:`OutSpec.fill_in` fills in the keywords of one conversion. Users of
legend-daq2lh5 read the expanded names and keys in their own dictionary:
:meth:`OutSpec.write_back` puts them there, as the last step. Values of keywords and
environment variables stay out of it, so that it serves for the next file.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import OutSpecError, did_you_mean, show
from ..resources.paths import bound_variables, expand_home, expand_variables, literal
from .channel_map import CHANNEL
from .fields import MaskedKeywords, fields_of, fill_in, fill_in_field
from .keys import MAX_KEYS, has_wildcard, keys_of
from .places import Place, split_out_stream
from .table_settings import SETTINGS, TableSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .channel_map import ChannelMap

__all__ = [
    "BufferSpec",
    "OutSpec",
    "expand_out_stream",
    "expand_rblist_dict",
    "parse_buffers",
    "parse_out_spec",
    "write_back",
]

BUFFER_FIELDS = (
    "key_list",
    "out_stream",
    "out_name",
    "proc_spec",
    *SETTINGS,
    "aliases",
)
"""Fields in the description of a buffer."""

MAX_BUFFERS = 2**16
"""Most buffers of a decoder; each is a table with datasets of its own."""

# doubled braces are literal
_CHANNEL_FIELD = re.compile(rf"(?<!\{{)(?:\{{\{{)*\{{{CHANNEL}\b")

ANY_DECODER = "*"
"""Name of the decoder whose buffer is a template for all other decoders."""


class BufferSpec(NamedTuple):
    """A buffer of an output specification, with its name and keys expanded.

    Attributes
    ----------
    name
        name of the buffer.
    key_list
        its keys, or patterns of keys.
    out_stream, out_name
        file and group, and name of the table; `out_name` is None if the user gives
        none. They are templates until :meth:`fill_in`.
    proc_spec
        processing, as the user gives it.
    settings
        how the table is written.
    given
        the user's description, with expanded keys.
    channel_map
        the channel map, if there is one.
    """

    name: str
    key_list: list[int | str]
    out_stream: str
    out_name: str | None
    proc_spec: Any
    settings: TableSettings
    given: dict[str, Any]
    channel_map: ChannelMap | None = None

    @classmethod
    def parse(
        cls, name: str, description: Any, channel_map: ChannelMap | None = None
    ) -> BufferSpec:
        """Check and parse the user's description of a buffer."""
        _check_description(name, description)
        given = dict(description)
        whose = f"buffer {show(name)}"
        given["key_list"] = keys_of(given["key_list"], whose, channel_map)
        out_stream = _out_stream_of(name, given.get("out_stream", ""))
        out_name = _out_name_of(name, given.get("out_name", name))
        return cls(
            name,
            given["key_list"],
            out_stream,
            out_name if "out_name" in given else None,
            given.get("proc_spec"),
            TableSettings.parse(given, whose),
            given,
            channel_map,
        )

    def for_key(self, key: int | str) -> BufferSpec:
        """Return the buffer of one key, with the key or channel filled in its name."""
        values = {"key": key}
        if self.is_by_channel([self.name]):
            values[CHANNEL] = self._channel_of(key)
        name = _name_with_key(self.name, values)
        given = self.given | {"key_list": [key]}
        return self._replace(name=name, key_list=[key], given=given)

    @property
    def channels(self) -> dict[int, str]:
        """Names of the keys that are in the channel map."""
        names = {} if self.channel_map is None else self.channel_map.names
        return {key: names[key] for key in self.key_list if key in names}

    def _channel_of(self, key: int | str) -> str:
        return self.channel_map.name_of(key, f"buffer {show(self.name)}")

    def is_by_channel(self, texts: Iterable[str]) -> bool:
        """Whether texts have the field for a channel's name, and there is a map.

        Raises
        ------
        OutSpecError
            (a ValueError) if the keys are not known yet.
        """
        if self.channel_map is None or not any(map(_CHANNEL_FIELD.search, texts)):
            return False
        if self.has_patterns:
            msg = (
                f"buffer {show(self.name)}: {{{CHANNEL}}} needs channels, not patterns "
                'of keys; {"name": "*"} in key_list selects all of the channel map'
            )
            raise OutSpecError(msg)
        return True

    @property
    def has_patterns(self) -> bool:
        """Whether there are patterns of keys, which the stream's keys replace."""
        return any(map(has_wildcard, self.key_list))

    @property
    def fields(self) -> set[str]:
        """Names of the fields in `out_stream`, `out_name` and aliases."""
        return set().union(*map(fields_of, self._texts))

    @property
    def _texts(self) -> tuple[str, ...]:
        return (self.out_stream, self.out_name or "", *self.settings.aliases)

    def fill_in_all(
        self, decoder: str, keywords: Mapping[str, Any], lenient: bool = True
    ) -> list[BufferSpec]:
        """Fill in, see :meth:`fill_in`; a channel in names makes a buffer for each key.

        Raises
        ------
        OutSpecError
            (a ValueError) if the map lacks a key, or a keyword has the field's name.
        """
        if not self.is_by_channel(self._texts):
            return [self.fill_in(decoder, keywords, lenient)]
        if CHANNEL in keywords:
            msg = (
                f"the keyword '{CHANNEL}' stands for names of the channel map: rename "
                "it, in the output specification too"
            )
            raise OutSpecError(msg)
        return [
            self._replace(key_list=[key]).fill_in(
                decoder, {**keywords, CHANNEL: self._channel_of(key)}, lenient
            )
            for key in dict.fromkeys(self.key_list)
        ]

    def fill_in(
        self, decoder: str, keywords: Mapping[str, Any], lenient: bool = True
    ) -> BufferSpec:
        """Fill in keywords in names, and environment variables in `out_stream`.

        The result is final, unless the names need keys or decoders of the stream: then
        they are templates, with ``{key}`` and ``{name}`` only.

        Parameters
        ----------
        decoder
            the buffer's decoder.
        keywords
            values of keywords.
        lenient
            keep unset environment variables as text.

        Raises
        ------
        OutSpecError, UndefinedKeywordError
            (ValueErrors) with the buffer, and what is wrong.
        """
        out_stream = self.out_stream
        out_name = self.name if self.out_name is None else self.out_name
        values: dict[str, Any] = {"name": self.name} | dict(keywords)
        patterns = self.has_patterns
        if len(self.key_list) == 1 and not patterns:
            values.setdefault("key", self.key_list[0])
        is_template = decoder == ANY_DECODER or (patterns and "{key" in self.name)
        if is_template and "name" not in keywords:
            out_stream = out_stream.replace("{name}", self.name)
            if self.out_name is not None:
                out_name = out_name.replace("{name}", self.name)
            del values["name"]
        # patterns are filled in once the stream is open
        again = decoder == ANY_DECODER or (
            "key" not in values
            and "{key" in out_name + (out_stream if patterns else "")
        )
        keep = ("key", "name") if again else ()
        whose = f"buffer {show(self.name)}"
        masked = MaskedKeywords(values)
        if self.out_name is not None:
            where = f"out_name of {whose}"
            out_name = fill_in_field(out_name, masked, where, keep, again)
        where = f"aliases of {whose}"
        settings = self.settings.renamed(
            lambda alias: literal(fill_in_field(alias, masked, where, keep, again))
        )
        where = f"out_stream of {whose}"
        out_stream = bound_variables(out_stream)
        out_stream = fill_in_field(out_stream, masked, where, keep, again)
        try:
            out_stream = expand_out_stream(out_stream, again, lenient)
        except ValueError as e:
            msg = f"{where}: {e}"
            raise OutSpecError(msg) from None
        out_name = literal(out_name)
        place = Place.of(out_stream, out_name)
        place.check_file(where)
        if not again:
            place.check_path(whose)
            for alias in settings.aliases:
                Place(place.file, place.group, alias).check_path(f"{whose}, alias")
        return self._replace(
            out_stream=out_stream, out_name=out_name, settings=settings
        )


@dataclass(frozen=True)
class OutSpec:
    """An output specification.

    Attributes
    ----------
    decoders
        buffers by name of the decoder.
    settings
        how all tables are written.
    """

    decoders: dict[str, list[BufferSpec]]
    settings: TableSettings = field(default_factory=TableSettings)

    @property
    def fields(self) -> set[str]:
        """Names of all fields: keywords, ``key`` and ``name``."""
        return {
            f for buffers in self.decoders.values() for b in buffers for f in b.fields
        }

    def fill_in(self, keywords: Mapping[str, Any], lenient: bool = True) -> OutSpec:
        """Fill in the values of one conversion, see :meth:`BufferSpec.fill_in`."""
        return OutSpec(
            {
                decoder: [
                    filled
                    for b in buffers
                    for filled in b.fill_in_all(decoder, keywords, lenient)
                ]
                for decoder, buffers in self.decoders.items()
            },
            self.settings,
        )

    @property
    def channels(self) -> dict[str, dict[int, str]]:
        """Names of the channels that the channel map has, by decoder and key."""
        found = {
            decoder: {key: n for b in buffers for key, n in b.channels.items()}
            for decoder, buffers in self.decoders.items()
        }
        return {decoder: names for decoder, names in found.items() if names}

    def write_back(self, config: dict) -> None:
        """Expand the names and keys in the dictionary that was parsed.

        Must be called on the specification before :meth:`fill_in`. Parsing the
        dictionary again gives the same specification.
        """
        seen = set()
        for decoder, buffers in self.decoders.items():
            if id(config[decoder]) in seen:
                # two decoders share the dictionary, but names may differ by decoder
                config[decoder] = {}
            seen.add(id(config[decoder]))
            write_back(config[decoder], buffers)


def parse_out_spec(config: Any, channel_map: ChannelMap | None = None) -> OutSpec:
    """Parse a specification; `config` is not changed.

    Parameters
    ----------
    config
        the user's dictionary.
    channel_map
        names of channels; key lists select from it.

    Raises
    ------
    OutSpecError
        (a ValueError) if it is not a valid specification.
    """
    if not isinstance(config, dict):
        msg = f"expected a dictionary of decoders, not {show(config)}"
        raise OutSpecError(msg)
    return OutSpec(
        {
            decoder: parse_buffers(_with_decoder(decoder, buffers), channel_map)
            for decoder, buffers in config.items()
            if decoder not in SETTINGS
        },
        TableSettings.parse(config, "the specification"),
    )


def parse_buffers(
    config: Any, channel_map: ChannelMap | None = None
) -> list[BufferSpec]:
    """Parse the buffers of one decoder; `config` is not changed."""
    if not isinstance(config, dict):
        msg = f"expected a dictionary of the decoder's buffers, not {show(config)}"
        raise OutSpecError(msg)
    buffers: dict[str, BufferSpec] = {}

    def add(buffer: BufferSpec) -> None:
        if buffer.name in buffers:
            msg = f"two buffers are called {show(buffer.name)}, with keys filled in"
            raise OutSpecError(msg)
        if len(buffers) >= MAX_BUFFERS:
            msg = f"more than {MAX_BUFFERS} buffers: use '*' for all other keys"
            raise OutSpecError(msg)
        buffers[buffer.name] = buffer

    templates = []
    n_keys = 0
    for name, description in config.items():
        buffer = BufferSpec.parse(_name_of(name), description, channel_map)
        n_keys += len(buffer.key_list)
        if n_keys > MAX_KEYS:
            whose = f"buffer {show(buffer.name)}"
            msg = f"more than {MAX_KEYS} keys up to {whose}: use patterns"
            raise OutSpecError(msg)
        by_key = "{key" in buffer.name and not buffer.has_patterns
        if by_key or buffer.is_by_channel([buffer.name]):
            templates.append(buffer)
        else:
            add(buffer)
    for template in templates:
        for key in dict.fromkeys(template.key_list):
            add(template.for_key(key))
    return list(buffers.values())


def write_back(config: dict, buffers: list[BufferSpec]) -> None:
    """Expand the names and keys in the dictionary of a decoder's buffers."""
    config.clear()
    for buffer in buffers:
        config[buffer.name] = buffer.given


def expand_rblist_dict(config: dict, kw_dict: dict[str, str]) -> None:
    """Expand the shorthand of one decoder's buffers, in place, keywords included.

    See :meth:`.RawBufferLibrary.set_from_dict`.
    """
    buffers = parse_buffers(config)
    for buffer in buffers:
        filled = buffer.fill_in("", kw_dict)
        texts = {"out_stream": filled.out_stream, "out_name": filled.out_name}
        buffer.given.update({f: t for f, t in texts.items() if f in buffer.given})
    write_back(config, buffers)


def expand_out_stream(
    out_stream: str, template: bool = False, lenient: bool = False
) -> str:
    """Return an `out_stream` with ``~`` and environment variables expanded.

    Parameters
    ----------
    out_stream
        the text.
    template
        whether it is a template, in which literal braces are doubled.
    lenient
        keep unset environment variables as text.
    """
    file, _ = split_out_stream(literal(out_stream))
    rest = out_stream
    known = ""
    if "$" in file and os.path.exists(file):
        # (LITERAL_DOLLAR is one character, too)
        known, rest = out_stream[: len(file)], out_stream[len(file) :]
    rest = expand_variables(rest, template=template, lenient=lenient)
    return expand_home(literal(known) + rest)


# ---- parts of a description ----------------------------------------------------------


def _name_of(name: Any) -> str:
    """Return the name of a buffer; in YAML it may be a number or a date."""
    if name is None or isinstance(name, (bool, float, tuple)):
        msg = f"a buffer is called {show(name)}: put its name in quotes"
        raise OutSpecError(msg)
    return str(name)


def _name_with_key(name: str, values: dict[str, int | str]) -> str:
    """Fill in a key, and the name of its channel."""
    try:
        return fill_in(name, values)
    except KeyError as e:
        msg = (
            f"{e} in the name of buffer {show(name)}: only {{key}} and {{name}} can "
            "stand there, keywords belong in out_stream and out_name"
        )
        raise OutSpecError(msg) from None
    except ValueError as e:
        msg = f"buffer {show(name)}, key {show(values['key'])}: {e}"
        raise OutSpecError(msg) from None


def _with_decoder(decoder: Any, buffers: Any) -> Any:
    """Return buffers with ``{name}`` in their names replaced by the decoder."""
    if not isinstance(buffers, dict):
        msg = (
            f"{show(decoder)}: expected a dictionary of the decoder's buffers, not "
            f"{show(buffers)}"
        )
        raise OutSpecError(msg)
    if decoder == ANY_DECODER:
        return buffers
    short = str(decoder).removesuffix("Decoder")
    filled_in: dict[str, Any] = {}
    for name, info in buffers.items():
        full = _name_of(name).replace("{name}", short)
        if full in filled_in:
            msg = f"{show(decoder)}: two buffers are called {show(full)}"
            raise OutSpecError(msg)
        filled_in[full] = info
    return filled_in


def _check_description(name: str, info: Any) -> None:
    """Check the fields in the description of a buffer."""
    if name == "":
        msg = "a buffer needs a name"
        raise OutSpecError(msg)
    if not isinstance(info, dict):
        msg = (
            f"buffer {show(name)}: expected a dictionary with a key_list, not "
            f"{show(info)}"
        )
        raise OutSpecError(msg)
    for given in info:
        if given not in BUFFER_FIELDS:
            hint = did_you_mean(str(given), BUFFER_FIELDS)
            msg = f"buffer {show(name)}: unknown field {show(given)}{hint}"
            raise OutSpecError(msg)
    if "key_list" not in info:
        msg = f"buffer {show(name)} has no key_list"
        raise OutSpecError(msg)


def _out_stream_of(name: str, value: Any) -> str:
    if not isinstance(value, (str, os.PathLike)):
        msg = (
            f"buffer {show(name)}: out_stream is {show(value)}; give the name of a "
            "file, or leave it out if rows are not to be written"
        )
        raise OutSpecError(msg)
    text = os.fsdecode(value)
    if "\0" in text:
        msg = f"buffer {show(name)}: the out_stream has a null byte"
        raise OutSpecError(msg)
    return text


def _out_name_of(name: str, value: Any) -> str:
    number = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not (number or (isinstance(value, str) and value and "\0" not in value)):
        msg = f"buffer {show(name)}: out_name is {show(value)}; give a table's name"
        raise OutSpecError(msg)
    return str(value)
