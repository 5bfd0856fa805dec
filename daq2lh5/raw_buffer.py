r"""Buffers between decoding and writing, and the shorthand that describes them.

A :class:`RawBuffer` holds rows of one output table, the keys (channels) that it takes,
and the file and group that it is written to. The buffers of one decoder form a
:class:`RawBufferList`; a :class:`RawBufferLibrary` has one list for each decoder, by
the decoder's name.

The user describes a library by a dictionary, or a JSON or YAML file; see
:meth:`RawBufferLibrary.set_from_dict`.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from .buffers.append import write_to_lh5_and_clear
from .buffers.keys import plain_keys
from .buffers.out_spec import (
    BufferSpec,
    OutSpec,
    expand_out_stream,
    expand_rblist_dict,
    parse_buffers,
    parse_out_spec,
    write_back,
)
from .buffers.places import Place
from .buffers.table_buffer import TableBuffer, arrays_of, grow_vectors, set_row
from .buffers.table_settings import TableSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import lgdo
    import numpy as np

    from .processing.plan import Plan
    from .processing.spec import ProcSpec
    from .writing.layout import Layout

log = logging.getLogger(__name__)

__all__ = [
    "RawBuffer",
    "RawBufferLibrary",
    "RawBufferList",
    "expand_rblist_dict",
    "write_to_lh5_and_clear",
]


class RawBuffer:
    """Rows of one output table, on their way from a decoder to a file.

    Attributes
    ----------
    lgdo
        the data, usually an :class:`lgdo.Table`. Made by the streamer when a stream
        is opened; the user may set another one.
    key_list
        keys (channel ids, for instance) of the data that go here. The decoder defines
        the keys.
    out_stream
        file to write to, with the group after a colon: ``path/file.lh5:group``.
    out_name
        name of the table in that group.
    proc_spec
        how to process the rows before they are written, see
        :func:`.buffer_processor.buffer_processor`: a dictionary, or the name of a JSON
        or YAML file.
    settings
        how the table is written.
    loc
        number of rows that are filled.
    used
        whether rows of it were handed out.
    fill_safety
        rows that a single packet may add: with less room than that the buffer counts
        as full.
    table
        the rows as decoders and writers use them, shown by `lgdo`; None if the user
        set `lgdo`, or if the decoder makes its object later.
    exposed
        whether `lgdo` was asked for since `table` was set: the user may change the
        arrays from then on.
    names_are_final
        whether braces in `out_stream` and `out_name` are ordinary characters.

    Notes
    -----
    All modules use the public attributes and methods; the others are for this class.
    """

    def __init__(
        self,
        lgdo: lgdo.LGDO | None = None,
        key_list: Iterable[int | str] | None = None,
        out_stream: str | os.PathLike[str] = "",
        out_name: str = "",
        proc_spec: dict | str | None = None,
    ) -> None:
        self.table: TableBuffer | None = None
        self.exposed = False
        self.names_are_final = False
        self.used = False
        self._place: Place | None = None
        self._processing: ProcSpec | None = None
        self._make: Callable[[], lgdo.LGDO] | None = None
        self._describe: Callable[[], tuple[Layout, list[np.ndarray]]] | None = None
        self.lgdo = lgdo
        self.key_list = () if key_list is None else key_list
        self.out_stream = out_stream
        self.out_name = out_name
        self.proc_spec = proc_spec
        self.settings = TableSettings()
        self.loc = 0
        self.fill_safety = 1

    @property
    def lgdo(self) -> lgdo.LGDO | None:  # noqa: D102  (see the class)
        if self.table is None:
            return self._writable()
        self.exposed = True
        table = self.table.as_lgdo()
        self.table.end_vectors(self.loc)
        return table

    @lgdo.setter
    def lgdo(self, value: lgdo.LGDO | None) -> None:
        self._lgdo = value
        self.table = None
        self._make = None
        self._describe = None

    @property
    def key_list(self) -> list[int | str]:  # noqa: D102  (see the class)
        return self._key_list

    @key_list.setter
    def key_list(self, value: Iterable[int | str]) -> None:
        # a copy: keys are added while a stream is read
        self._key_list = plain_keys(value)

    @property
    def out_stream(self) -> str:  # noqa: D102  (see the class)
        return self._out_stream

    @out_stream.setter
    def out_stream(self, value: str | os.PathLike[str]) -> None:
        self._out_stream = os.fsdecode(value)
        self._place = None

    @property
    def out_name(self) -> str:  # noqa: D102  (see the class)
        return self._out_name

    @out_name.setter
    def out_name(self, value: str) -> None:
        self._out_name = value
        self._place = None

    @property
    def place(self) -> Place:
        """The place of the table: `out_stream` and `out_name`, parsed."""
        if self._place is None:
            self._place = Place.of(self._out_stream, self._out_name)
        return self._place

    @property
    def proc_spec(self) -> dict | str | None:  # noqa: D102  (see the class)
        return self._proc_spec

    @proc_spec.setter
    def proc_spec(self, value: dict | str | None) -> None:
        self._proc_spec = value
        self._processing = None

    @property
    def processing(self) -> ProcSpec | None:
        """The processing: `proc_spec`, parsed and checked at the first use."""
        if self._processing is None and self.proc_spec is not None:
            from .processing.spec import ProcSpec  # noqa: PLC0415  (seldom needed)

            self._processing = ProcSpec.of(self.proc_spec)
        return self._processing

    @classmethod
    def of(cls, spec: BufferSpec) -> RawBuffer:
        """Make the buffer that a specification with keywords filled in asks for."""
        rb = cls(None, spec.key_list, spec.out_stream, spec.out_name, spec.proc_spec)
        rb.settings = spec.settings
        return rb

    def derive(
        self,
        key_list: Iterable[int | str] | None = None,
        out_stream: str | None = None,
        out_name: str | None = None,
        rename: Callable[[str], str] = str,
    ) -> RawBuffer:
        """Make a buffer without rows like this one; `rename` makes its aliases."""
        rb = RawBuffer(
            key_list=self.key_list if key_list is None else key_list,
            out_stream=self.out_stream if out_stream is None else out_stream,
            out_name=self.out_name if out_name is None else out_name,
            proc_spec=self.proc_spec,
        )
        rb._processing = self._processing
        rb.settings = self.settings.renamed(rename)
        return rb

    def beside(
        self, ending: object, key_list: Iterable[int | str] | None = None
    ) -> RawBuffer:
        """Make the buffer of another table in the same group.

        Parameters
        ----------
        ending
            end of its name, after that of this buffer.
        key_list
            its keys, by default those of this buffer.
        """
        return self.derive(
            key_list,
            out_name=f"{self.out_name}_{ending}",
            rename=lambda alias: f"{alias}_{ending}",
        )

    def make_later(
        self,
        make: Callable[[], lgdo.LGDO],
        describe: Callable[[], tuple[Layout, list[np.ndarray]]] | None = None,
    ) -> None:
        """Delay making `lgdo` until it is asked for, since lgdo is slow to import.

        Parameters
        ----------
        make
            returns the object.
        describe
            returns the layout and the arrays of the object for a writer, without
            lgdo.
        """
        self.lgdo = None
        self._make = make
        self._describe = describe

    def describe_unmade(self) -> tuple[Layout, list[np.ndarray]] | None:
        """Return layout and arrays of the object that :meth:`make_later` delayed.

        None once it is made, or if the decoder cannot describe it.
        """
        if self._lgdo is not None or self._describe is None:
            return None
        return self._describe()

    def use_table(self, table: TableBuffer) -> None:
        """Fill `table` instead of an LGDO; `lgdo` shows it."""
        self.lgdo = None
        self.table = table
        self.exposed = False

    @property
    def n_samples(self) -> int:
        """Samples of the waveforms in a decoder's own table; 0 without waveforms."""
        return self.table.n_samples

    def hand_out(self) -> None:
        """Prepare the filled rows for the reader or writer."""
        self.used = True
        if self.exposed and self.table is not None:
            self.table.end_vectors(self.loc)

    def pass_encoded(self, codec: str) -> None:
        """Pass encoded waveforms through undecoded, where the file has the same codec.

        Only for buffers whose `lgdo` the user cannot reach.

        Parameters
        ----------
        codec
            name of the input's codec.
        """
        plan = self.plan
        fields = self.table.fields if plan is None else plan.untouched
        names = frozenset(
            f.name
            for f in fields
            if f.kind == "waveform" and f.codec is not None and f.codec.name == codec
        )
        if names:
            self.table = self.table.with_encoded(names, codec)

    @property
    def allocated(self) -> bool:
        """Whether the arrays have memory already."""
        if self.table is not None:
            return self.table.allocated
        return self._lgdo is not None

    @property
    def private(self) -> bool:
        """Whether only this package can reach the arrays."""
        return self.table is not None and not self.exposed

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of the columns by path, allocated where necessary."""
        if self.private:
            return self.table.arrays
        return arrays_of(self.lgdo)

    def grow(self, n: int) -> None:
        """Make room in the vector columns for `n` more elements."""
        if self.private:
            self.table.grow_vectors(self.loc, n)
        else:
            grow_vectors(self.lgdo, self.loc, n)

    def enlarge(self, rows: int) -> None:
        """Give the empty buffer room for at least `rows` rows.

        Raises
        ------
        ValueError
            if the arrays are the user's, which only the user can replace.
        """
        if not self.private:
            msg = f"buffer '{self.out_name}' is too small for a packet of {rows} rows"
            raise ValueError(msg)
        self.table.resize(rows)

    def append(self, values: dict[str, Any]) -> None:
        """Fill the next row from a dictionary; slow, for tables with few rows."""
        self.grow(max(len(v) if hasattr(v, "__len__") else 0 for v in values.values()))
        set_row(self.arrays(), self.loc, values)
        self.loc += 1

    def _writable(self) -> lgdo.LGDO | None:
        """Return the data for a writer; the rows do not count as exposed."""
        if self.table is not None:
            return self.table.as_lgdo()
        if self._lgdo is None and self._make is not None:
            self._lgdo = self._make()
        return self._lgdo

    @property
    def plan(self) -> Plan | None:
        """Plan of the processing of `table`; None if either is missing."""
        if self.proc_spec is None or self.table is None:
            return None
        from .processing.plan import plan_for  # noqa: PLC0415  (seldom needed)

        return plan_for(self.table, self.proc_spec, self.processing)

    @property
    def layout(self) -> Layout | None:
        """HDF5 objects that the rows become; None if that depends on the LGDO."""
        if not self.private:
            return None
        plan = self.plan
        return self.table.layout if plan is None else plan.layout

    def processed(self, db_dict: dict | None) -> tuple[lgdo.LGDO | None, int | None]:
        """Return the processed data and the number of rows to write (None: all)."""
        data = self._writable()
        if data is None:
            return None, None
        n_rows = self._rows_to_write(data)
        if self.proc_spec is None or n_rows is None:
            return data, n_rows
        import lgdo  # noqa: PLC0415  (there is an object of it already)

        if not isinstance(data, lgdo.Table):
            log.info("buffer '%s' has no table: not processed", self.out_name)
            return data, n_rows
        from .processing.steps import process_rows  # noqa: PLC0415

        # (a table made by the user may be processed in another way each time)
        spec = self.proc_spec if self.plan is None else self.plan.spec
        return process_rows(data, n_rows, spec, db_dict), n_rows

    def _rows_to_write(self, data: lgdo.LGDO) -> int | None:
        """Return how many rows of `data` are filled; None for structs and scalars."""
        datatype = data.attrs["datatype"]
        whole = datatype.startswith("struct") or "{" not in datatype
        return None if whole else self.loc

    def __len__(self) -> int:
        if self.table is not None:
            return self.table.size
        if self._make is not None:
            return 1
        if self._lgdo is None:
            return 0
        return len(self._lgdo) if hasattr(self._lgdo, "__len__") else 1

    def is_full(self) -> bool:
        """Whether the next packet may not fit any more."""
        return len(self) - self.loc < self.fill_safety

    def __repr__(self) -> str:
        names = ("key_list", "out_stream", "out_name", "loc", "fill_safety")
        values = ", ".join(f"{n}={getattr(self, n)!r}" for n in names)
        return f"RawBuffer({values}, rows={len(self)}, proc_spec={self.proc_spec!r})"


class RawBufferList(list):
    """The buffers that one decoder fills, all with the same columns."""

    def __init__(self) -> None:
        super().__init__()
        self.keyed_dict: dict[int | str, RawBuffer] | None = None

    def get_keyed_dict(self) -> dict[int | str, RawBuffer]:
        """Return the buffer for each key.

        Several keys may lead to the same buffer. If two buffers list a key, the last
        one gets it, and a warning is logged.
        """
        if self.keyed_dict is None:
            self.keyed_dict = {}
            for rb in self:
                for key in rb.key_list:
                    if self.keyed_dict.get(key, rb) is not rb:
                        log.warning(
                            "two buffers ask for key %s: '%s' gets it",
                            key,
                            rb.out_name,
                        )
                    self.keyed_dict[key] = rb
        return self.keyed_dict

    def set_from_dict(
        self, config: dict, kw_dict: dict[str, str] | None = None
    ) -> None:
        """Append the buffers that `config` describes.

        See :meth:`RawBufferLibrary.set_from_dict`.
        """
        buffers = parse_buffers(config)
        self += [RawBuffer.of(b.fill_in("", kw_dict or {})) for b in buffers]
        write_back(config, buffers)

    def get_list_of(self, attribute: str) -> list:
        """Return the different values that an attribute of the buffers has."""
        values: list = []
        for rb in self:
            value = getattr(rb, attribute, None)
            if hasattr(rb, attribute) and value not in values:
                values.append(value)
        return values

    def clear_full(self) -> None:
        """Empty the buffers that are full."""
        for rb in self:
            if rb.is_full():
                rb.loc = 0


class RawBufferLibrary(dict):
    """A :class:`RawBufferList` for each decoder, by the decoder's name.

    Parameters
    ----------
    config, kw_dict
        see :meth:`set_from_dict`.

    Attributes
    ----------
    settings, channels
        see :class:`.OutSpec`.
    """

    def __init__(
        self, config: dict | None = None, kw_dict: dict[str, str] | None = None
    ) -> None:
        super().__init__()
        self.settings = TableSettings()
        self.channels: dict[str, dict[int, str]] = {}
        if config is not None:
            self.set_from_dict(config, kw_dict)

    @classmethod
    def of(cls, lists: dict[str, list[RawBuffer]]) -> RawBufferLibrary:
        """Make a library of lists of buffers by decoder name."""
        library = cls()
        library.update(lists)
        return library

    def add(self, spec: OutSpec) -> None:
        """Add the buffers of a specification with keywords filled in."""
        self.settings, self.channels = spec.settings, spec.channels
        for decoder, buffers in spec.decoders.items():
            rbs = self.setdefault(decoder, RawBufferList())
            rbs.extend(map(RawBuffer.of, buffers))

    def for_conversion(self) -> RawBufferLibrary:
        """Return a copy for one conversion: without rows, and with paths expanded.

        The conversion fills in wildcards, and fills the buffers.

        Raises
        ------
        ValueError
            for an environment variable that is not set.
        """
        library = RawBufferLibrary()
        library.settings, library.channels = self.settings, self.channels
        for decoder, rbs in self.items():
            library[decoder] = RawBufferList()
            for rb in rbs:
                template = decoder == "*" or "{key" in rb.out_name + rb.out_stream
                out_stream = expand_out_stream(rb.out_stream, template)
                library[decoder].append(rb.derive(out_stream=out_stream))
        return library

    def set_from_dict(
        self, config: dict, kw_dict: dict[str, str] | None = None
    ) -> None:
        """Set up the library from its shorthand.

        The dictionary has, for each decoder name, buffers by name::

            {decoder: {name: {"key_list": [...], "out_stream": "file.lh5:group",
                              "out_name": "...", "proc_spec": {...}}}}

        where all but ``key_list`` may be left out, and the table is called `name`
        unless ``out_name`` says otherwise. A ``key_list`` may be a tuple, a range, a
        set or an array too, an ``out_stream`` a path. Expanded are, in this order:

        - ``{name}`` in a name: to the decoder's name without ``Decoder``;
        - a list of two integers in ``key_list``: to the range of keys from the first to
          the last;
        - ``{key:...}`` in a name: to a buffer for each key;
        - keywords (`kw_dict`), ``{name}`` and ``{key}`` in ``out_stream`` and
          ``out_name``;
        - environment variables, and ``~`` at the start, in ``out_stream``;
        - when the stream is opened, ``*`` in keys and the decoder name ``*``: to the
          keys and decoders that nothing else in the specification asks for.

        Parameters
        ----------
        config
            the shorthand. Names and keys are expanded in place; where keywords and
            environment variables stand it is left alone, so that it can be used again
            with other values.
        kw_dict
            values of keywords.

        Raises
        ------
        OutSpecError
            (a ValueError) where a buffer has no name or no ``key_list``, or an unknown
            field.
        UndefinedKeywordError
            (a KeyError and a ValueError) for a keyword that `kw_dict` lacks.
        """
        spec = parse_out_spec(config)
        self.add(spec.fill_in(kw_dict or {}))
        spec.write_back(config)

    def get_list_of(self, attribute: str, unique: bool = True) -> list:
        """Return the values that an attribute of the buffers has.

        Parameters
        ----------
        attribute
            name of an attribute of :class:`RawBuffer`.
        unique
            list each value once, also if several decoders' buffers have it.
        """
        values = [v for rbs in self.values() for v in rbs.get_list_of(attribute)]
        if not unique:
            return values
        different: list = []
        for value in values:
            if value not in different:
                different.append(value)
        return different

    def clear_full(self) -> None:
        """Empty the buffers that are full."""
        for rbs in self.values():
            rbs.clear_full()

    def buffers(self) -> Iterator[tuple[str, RawBuffer]]:
        """Go through all buffers, with the names of their decoders."""
        for decoder, rbs in self.items():
            for rb in rbs:
                yield decoder, rb

    def files(self) -> list[str]:
        """Return the names of the files that the buffers are written to."""
        files = [rb.place.file for _, rb in self.buffers()]
        return [f for f in dict.fromkeys(files) if f]
