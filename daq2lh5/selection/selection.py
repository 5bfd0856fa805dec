"""Selection: which buffer takes the rows of a key, by the specification."""

from __future__ import annotations

import logging
import os
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from ..buffers.keys import has_wildcard
from ..buffers.table_buffer import TableBuffer
from ..data_decoder import DataDecoder
from ..errors import OutSpecError
from ..resources.memory import MemoryPlan
from .checks import check_aliases, check_processing
from .templates import (
    buffer_for,
    buffers_for,
    expand_key_names,
    for_key,
    matches,
    names_key,
)

if TYPE_CHECKING:
    from ..raw_buffer import RawBuffer, RawBufferLibrary
    from ..report import ConversionReport
    from .column_settings import ColumnSettings

log = logging.getLogger(__name__)

__all__ = ["MAX_TABLES", "Selection"]

MAX_TABLES = 4096
"""Largest number of tables of a decoder for keys that appear in mid-stream."""

TOLD_CHANNELS = 20
"""Number of channels that a message names."""


class Selection:
    """The part of a streamer that matches buffers with decoders and keys.

    Attributes
    ----------
    rb_lib, selects_anything, plan, report, memory_limit, column_settings
        those of :class:`.DataStreamer`.
    """

    may_bring_more = False
    """Whether a stream may have decoders and keys that its header does not announce."""

    report: ConversionReport
    memory_limit: int
    column_settings: ColumnSettings

    def _forget_selection(self) -> None:
        """Reset the selection for another stream."""
        self.rb_lib: RawBufferLibrary | None = None
        self.selects_anything = False
        self.plan = MemoryPlan(self.memory_limit)
        self._patterns: dict[str, list[tuple[RawBuffer, list]]] = {}
        # the template of the decoder '*'; the same by decoder that uses it; the buffers
        # of a decoder's key lists; and buffers by decoder and place
        self._everything: RawBuffer | None = None
        self._wildcards: dict[str, RawBuffer] = {}
        self._lists: dict[str, list[RawBuffer]] = {}
        self._tables: dict[str, dict[tuple[str, str], RawBuffer]] = {}
        # places of all tables; set when a table is added
        self._places: set[tuple[str, str]] | None = None
        # real paths of files by name
        self._real_files: dict[str, str] = {}
        # keys of buffers, by id: a set, since searching a long list takes long
        self._keys_of: dict[int, set[int | str]] = {}
        # number of tables opened in mid-stream by decoder, and keys without a table
        self._n_opened: Counter[str] = Counter()
        self._without_table: set[int | str] = set()
        # names of decoders whose templates are filled in
        self._selected: set[str] = set()

    def _select(self, decoder: DataDecoder) -> None:
        """Fill in the templates of the specification for a decoder."""
        name = type(decoder).__name__
        if name not in self.rb_lib and self._everything is not None:
            self._wildcards[name] = self._everything
            self.rb_lib[name] = buffers_for(self._everything, name, decoder)
            self._patterns[name] = [(rb, ["*"]) for rb in self.rb_lib[name]]
        if name in self.rb_lib:
            self._match_patterns(name, decoder)
            expand_key_names(self.rb_lib[name])
        self._selected.add(name)

    def _match_patterns(self, name: str, decoder: DataDecoder) -> None:
        """Replace patterns in key lists by the keys that no other buffer lists."""
        keys = list(dict.fromkeys(k for keys in decoder.get_key_lists() for k in keys))
        asked = {k for rb in self.rb_lib[name] for k in rb.key_list}
        asked |= {str(k) for k in asked}
        free = [k for k in keys if str(k) not in asked]
        with_patterns = [
            rb for rb in self.rb_lib[name] if any(map(has_wildcard, rb.key_list))
        ]
        if sum("*" in rb.key_list for rb in with_patterns) > 1:
            msg = f"{name}: only one buffer can have the key '*'"
            raise KeyError(msg)
        # '*' comes last
        with_patterns.sort(key=lambda rb: "*" in rb.key_list)
        for rb in with_patterns:
            patterns = [k for k in rb.key_list if has_wildcard(k)]
            self._patterns.setdefault(name, []).append((rb, patterns))
            found = [k for k in free if matches(k, patterns)]
            free = [k for k in free if k not in found]
            rb.key_list = [k for k in rb.key_list if k not in patterns] + found
            if not rb.key_list and not self.may_bring_more:
                log.warning(
                    "%s: no key of the stream matches %s of buffer '%s'",
                    name,
                    patterns,
                    rb.out_name,
                )
        self.rb_lib[name].keyed_dict = None

    def _check_places(self, decoders: dict[str, DataDecoder]) -> None:
        """Check that no two buffers are for one table."""
        places = Counter(
            self._place_of(rb)
            for name, rb in self.rb_lib.buffers()
            if name in decoders and rb.out_stream
        )
        for (file, table), count in places.items():
            if count > 1:
                msg = f"{count} buffers would write the table '{table}' of {file}"
                raise OutSpecError(msg)
        check_aliases(
            (self._place_of(rb), [rb.place.beside(a) for a in rb.settings.aliases])
            for name, rb in self.rb_lib.buffers()
            if name in decoders and rb.out_stream
        )

    def _check_selection(self, keys: dict[str, set]) -> None:
        """Warn of decoders and keys that the stream lacks.

        Parameters
        ----------
        keys
            keys of the stream by decoder.
        """
        for name in self.rb_lib:
            if name not in keys:
                self.report.warn(
                    f"this stream has no decoder '{name}': its buffers stay empty"
                )
        self.selects_anything = False
        for name, there in keys.items():
            channels = self.rb_lib.channels.get(name, {})
            absent = {k: n for k, n in channels.items() if k not in there}
            for rb in self.rb_lib.get(name, ()):
                if self._had_rows(rb) or there.intersection(rb.key_list):
                    self.selects_anything = True
                    if len(rb.key_list) == 1:
                        absent.pop(rb.key_list[0], None)
                elif (
                    rb.key_list
                    and name not in self._wildcards
                    and not absent.keys() >= set(rb.key_list)
                ):
                    self.report.warn(
                        f"{name}: the stream has none of the keys of buffer "
                        f"'{rb.out_name}'"
                    )
            if absent:
                self.report.warn(_about_absent(name, absent))

    def _had_rows(self, rb: RawBuffer) -> bool:
        """Whether a buffer has, or had, rows."""
        return bool(rb.used or rb.loc)

    def _set_up(
        self,
        rbs: list[RawBuffer],
        decoder: DataDecoder,
        buffer_size: int,
        columns_of: int | str | None = None,
    ) -> None:
        """Set the tables of a decoder's buffers, without allocating memory.

        The columns are those for the key `columns_of`, by default those for a buffer's
        first announced key.
        """
        keys = Counter(k for keys in decoder.get_key_lists() for k in keys)
        most = decoder.get_max_rows_in_packet()
        described: dict | None = None
        for rb in rbs:
            rb.fill_safety = most
            if most > 1:
                # a packet has a row for each key: the buffer gets the rows of its keys
                own = sum(keys[k] for k in set(rb.key_list))
                rb.fill_safety = max(1, min(most, own))
            key = rb.key_list[0] if len(rb.key_list) > 0 else None
            key = next((k for k in rb.key_list if k in keys), key)
            key = key if columns_of is None else columns_of
            if type(decoder).make_lgdo is not DataDecoder.make_lgdo:
                make = partial(decoder.make_lgdo, key=key, size=buffer_size)
                rb.make_later(make, decoder.describe_lgdo)
                continue
            names = (type(decoder).__name__, rb.out_name, rb.place.path)
            columns = self.column_settings.applied(
                decoder.columns_of(key), names, rb.settings.column_settings
            )
            if columns != described:
                table = TableBuffer(columns, 0, type(decoder).__name__)
                described = columns
            rb.use_table(table.like(0))
            for text in check_processing(rb):
                self.report.warn(text)
            # processed rows take memory, too
            plan = rb.plan
            row_bytes = table.row_bytes() + (plan.copied_bytes if plan else 0)
            rows = self.plan.buffer_rows(row_bytes, table.widest_bytes(), buffer_size)
            if self.to_files_only and decoder.codec_of_input:
                rb.pass_encoded(decoder.codec_of_input)
            rb.table.resize(max(rows, rb.fill_safety))

    def offer_keys(
        self,
        decoder: DataDecoder,
        keyed: dict,
        buffer_size: int,
        keys: list[int | str] | None = None,
    ) -> None:
        """Give new keys of the stream to the buffers with patterns.

        Parameters
        ----------
        decoder
            the decoder with the new keys.
        keyed
            its buffers by key: the new keys are added.
        buffer_size
            largest number of rows of a new buffer.
        keys
            the new keys; by default all of the decoder's.
        """
        name = type(decoder).__name__
        if keys is None:
            keys = [k for keys in decoder.get_key_lists() for k in keys]
        for key in dict.fromkeys(k for k in keys if k not in keyed):
            for rb, patterns in self._patterns.get(name, ()):
                if not matches(key, patterns):
                    continue
                if names_key(rb):
                    if not self._may_open(name, key):
                        break
                    keyed[key] = for_key(rb, key)
                    self.rb_lib[name].append(keyed[key])
                    if self._places is not None:
                        self._places.add(self._place_of(keyed[key]))
                    self._set_up([keyed[key]], decoder, buffer_size)
                else:
                    # (kernels enlarge an empty buffer that is too small for a packet)
                    keyed[key] = rb
                    rb.key_list.append(key)
                break

    # ---- later decoders and keys ---------------------------------------------------

    def buffers_by_key(
        self, decoder: DataDecoder, buffer_size: int
    ) -> dict[int | str | None, RawBuffer]:
        """Return the buffers of a decoder by key, after a new header of the stream.

        Tables made from templates are as in a stream that begins with this header;
        existing ones are used again.

        Parameters
        ----------
        decoder
            a decoder of the stream; it may be new.
        buffer_size
            largest number of rows of a new buffer.
        """
        name = type(decoder).__name__
        if name not in self._selected:
            self._select(decoder)
            self._set_up(self.rb_lib.get(name, []), decoder, buffer_size)
        if name not in self.rb_lib:
            return {}
        template = self._wildcards.get(name)
        if template is None:
            keyed = self.rb_lib[name].get_keyed_dict()
            self.offer_keys(decoder, keyed, buffer_size)
            return dict(keyed)
        self._lists[name] = buffers_for(template, name, decoder)
        keyed = {}
        for i, wanted in enumerate(self._lists[name]):
            if names_key(wanted):
                for key in wanted.key_list:
                    rb = for_key(wanted, key)
                    keyed[key] = self._table(decoder, rb, buffer_size)
                continue
            self._lists[name][i] = rb = self._table(decoder, wanted, buffer_size)
            keyed.update(dict.fromkeys(wanted.key_list, rb))
        return keyed

    def buffer_for_key(
        self, decoder: DataDecoder, key: int | str, buffer_size: int
    ) -> RawBuffer | None:
        """Return the buffer for an unannounced key.

        Parameters
        ----------
        decoder
            the decoder of the key; its ``place_of`` names the table.
        key
            the key.
        buffer_size
            largest number of rows of a new buffer.

        Returns
        -------
        rb
            None if the specification does not select the key, or there are too many
            tables.
        """
        name = type(decoder).__name__
        if name not in self.rb_lib:
            return None
        template = self._wildcards.get(name)
        if template is None:
            keyed = self.rb_lib[name].get_keyed_dict()
            self.offer_keys(decoder, keyed, buffer_size, [key])
            return keyed.get(key)
        number, ending = decoder.place_of(key)
        if number is None:
            rb = buffer_for(template, name, [key], f"_{ending}")
        else:
            rb = self._lists[name][number]
        if names_key(rb):
            rb = for_key(rb, key)
        if self._find_table(name, rb) is None and not self._may_open(name, key):
            return None
        rb = self._table(decoder, rb, buffer_size)
        self._add_keys(rb, [key])
        return rb

    def _may_open(self, name: str, key: int | str) -> bool:
        """Whether a decoder may open one more table, for a key."""
        if self._n_opened[name] < MAX_TABLES:
            self._n_opened[name] += 1
            return True
        self._without_table.add(key)
        self.report.warn(
            f"{name}: more than {MAX_TABLES} new tables: rows of others are not "
            "decoded (have channels share a table)"
        )
        return False

    def _add_keys(self, rb: RawBuffer, keys: list[int | str]) -> None:
        """Add keys to a buffer, each once."""
        known = self._keys_of.setdefault(id(rb), set())
        if len(known) != len(rb.key_list):
            known |= set(rb.key_list)
        new = [key for key in dict.fromkeys(keys) if key not in known]
        rb.key_list.extend(new)
        known.update(new)

    def _table(
        self, decoder: DataDecoder, wanted: RawBuffer, buffer_size: int
    ) -> RawBuffer:
        """Return the buffer for the table of `wanted`: an existing one, or `wanted`."""
        name = type(decoder).__name__
        rbs = self.rb_lib[name]
        rb = self._find_table(name, wanted)
        if rb is not None:
            if not rb.key_list and wanted.key_list and not self._had_rows(rb):
                # its first keys determine the columns
                rb.key_list = [*wanted.key_list]
                self._set_up([rb], decoder, buffer_size)
                return rb
            if rb is not wanted:
                self._add_keys(rb, wanted.key_list)
            return rb
        rb = self._tables[name][self._place_of(wanted)] = wanted
        self._add_table(name, rb)
        rbs.keyed_dict = None
        self._plan_for_more()
        self._set_up([rb], decoder, buffer_size)
        return rb

    def _find_table(self, name: str, wanted: RawBuffer) -> RawBuffer | None:
        """Return the existing buffer for the table of `wanted`, if there is one."""
        if name not in self._tables:
            self._tables[name] = {self._place_of(rb): rb for rb in self.rb_lib[name]}
        return self._tables[name].get(self._place_of(wanted))

    def _plan_for_more(self) -> None:
        """Divide the memory limit by one more buffer."""
        self.plan = self.plan.for_more()

    def _add_table(self, name: str, rb: RawBuffer) -> None:
        """Add the buffer of a new table to those of a decoder, with a unique name."""
        if self._places is None:
            self._places = {self._place_of(other) for _, other in self.rb_lib.buffers()}
        wanted, number = rb.out_name, 1
        while self._place_of(rb) in self._places:
            number += 1
            rb.out_name = self._other_name(wanted, number)
        if number > 1:
            rename = partial(self._other_name, number=number)
            rb.settings = rb.settings.renamed(rename)
        self._places.add(self._place_of(rb))
        self.rb_lib[name].append(rb)

    @staticmethod
    def _other_name(name: str, number: int) -> str:
        """Return the name for another table of a name: `number` is 2, 3 and so on."""
        return name + "_" * (number - 1)

    def _place_of(self, rb: RawBuffer) -> tuple[str, str]:
        """Return the real path of a buffer's file, and the table's path in it."""
        file = rb.place.file
        if file not in self._real_files:
            self._real_files[file] = os.path.realpath(file)
        return self._real_files[file], rb.place.path


def _about_absent(decoder: str, channels: dict[int, str]) -> str:
    """Return a message about channels of the channel map that the stream lacks."""
    names = [f"{name} ({key})" for key, name in channels.items()]
    rest = len(names) - TOLD_CHANNELS
    more = f" and {rest} more" if rest > 0 else ""
    return (
        f"{decoder}: the data lack channels of the channel map: "
        f"{', '.join(names[:TOLD_CHANNELS])}{more}"
    )
