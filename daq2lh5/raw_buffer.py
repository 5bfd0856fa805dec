r"""Buffers between decoding and writing, and the shorthand that describes them.

A :class:`RawBuffer` holds rows of one output table with what belongs to them: which
keys (channels) it takes, and the file and group that it is written to. Buffers that a
decoder fills together form a :class:`RawBufferList`; a :class:`RawBufferLibrary` has
one list for each decoder, by the decoder's name.

The user describes a library by a dictionary, or a JSON or YAML file; see
:meth:`RawBufferLibrary.set_from_dict`:

.. code-block:: yaml

    FCEventDecoder:
      "ch{key:07d}/raw":
        key_list: [[52800, 52805]]
        out_stream: "$OUTDIR/{orig_basename}.lh5"
    "*":
      "{name}":
        key_list: ["*"]
        out_stream: "$OUTDIR/{orig_basename}_rest.lh5"
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from .buffer_writing import write_to_lh5_and_clear
from .errors import OutSpecError
from .out_spec import (
    describe,
    expand_buffers,
    expand_out_stream,
    expand_rblist_dict,
    expand_spec,
    plain_keys,
    put_back,
    put_back_spec,
)
from .places import split_out_stream
from .table_buffer import TableBuffer, arrays_of, grow_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import lgdo
    import numpy as np

    from .buffer_processor.plan import Plan
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
        keys (channel ids, for instance) of the data that go here. What keys there are
        is the decoder's to say.
    out_stream
        file to write to, with the group behind a colon: ``path/file.lh5:group``.
    out_name
        name of the table in that group.
    proc_spec
        how to process the rows before they are written, see
        :func:`.buffer_processor.buffer_processor`: a dictionary, or the name of a JSON
        or YAML file.
    loc
        number of rows that are filled.
    used
        whether rows of it were handed out.
    fill_safety
        rows that a single packet may add: with less room than that the buffer counts
        as full.
    table
        the rows as decoders and writers use them, behind `lgdo`; None if the user
        set `lgdo`, or if the decoder makes its object later.
    exposed
        whether `lgdo` was asked for since `table` was set: the user may change the
        arrays from then on.
    names_are_final
        whether braces in `out_stream` and `out_name` are ordinary characters.
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
        self._make: Callable[[], lgdo.LGDO] | None = None
        self._describe: Callable[[], tuple[Layout, list[np.ndarray]]] | None = None
        self.lgdo = lgdo
        self.key_list = () if key_list is None else key_list
        self.out_stream = out_stream
        self.out_name = out_name
        self.proc_spec = proc_spec
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
        """Prepare the filled rows to be read or written."""
        self.used = True
        if self.exposed and self.table is not None:
            self.table.end_vectors(self.loc)

    def pass_encoded(self, codec: str) -> None:
        """Take waveforms as they are encoded in the input, if they are written so.

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
            if the arrays are the user's, who alone can replace them.
        """
        if not self.private:
            msg = f"buffer '{self.out_name}' is too small for a packet of {rows} rows"
            raise ValueError(msg)
        self.table.resize(rows)

    def append(self, values: dict[str, Any]) -> None:
        """Fill the next row from a dictionary; slow, for tables with few rows."""
        row = self.loc
        self.grow(max(len(v) if hasattr(v, "__len__") else 0 for v in values.values()))
        arrays = self.arrays()
        for name, value in values.items():
            if name in arrays:
                arrays[name][row] = value
            elif f"{name}/offsets" in arrays:
                offsets = arrays[f"{name}/offsets"]
                start = int(offsets[row])
                offsets[row + 1] = start + len(value)
                arrays[f"{name}/flattened_data"][start : start + len(value)] = value
        self.loc += 1

    def _writable(self) -> lgdo.LGDO | None:
        """Return the data for a writer of this package."""
        if self.table is not None:
            return self.table.as_lgdo()
        if self._lgdo is None and self._make is not None:
            self._lgdo = self._make()
        return self._lgdo

    @property
    def plan(self) -> Plan | None:
        """Plan of the processing of `table`; None without processing or `table`."""
        if self.proc_spec is None or self.table is None:
            return None
        return self.table.plan_for(self.proc_spec)

    @property
    def layout(self) -> Layout | None:
        """Layout of the rows in the file; None if only the LGDO can tell."""
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
        from .buffer_processor.buffer_processor import process_rows  # noqa: PLC0415

        # the plan's specification is checked already
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

    def __str__(self) -> str:
        return repr(self)

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
        expanded = expand_buffers(config)
        self += _buffers_of(expanded, kw_dict)
        put_back(config, expanded)

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
    """

    def __init__(
        self, config: dict | None = None, kw_dict: dict[str, str] | None = None
    ) -> None:
        super().__init__()
        if config is not None:
            self.set_from_dict(config, kw_dict)

    @classmethod
    def of(cls, lists: dict[str, list[RawBuffer]]) -> RawBufferLibrary:
        """Make a library of lists of buffers by decoder name."""
        library = cls()
        library.update(lists)
        return library

    @classmethod
    def for_conversion(
        cls, config: dict | RawBufferLibrary, keywords: dict[str, Any]
    ) -> RawBufferLibrary:
        """Make the library of one conversion.

        Paths are expanded. Of a library that the user made this is a copy without
        rows, since a conversion fills in wildcards and buffers.

        Raises
        ------
        ValueError
            for an environment variable that is not set, and as
            :meth:`set_from_dict`.
        """
        library = cls()
        if not isinstance(config, RawBufferLibrary):
            library._set(config, keywords, lenient=False)
            return library
        for decoder, rbs in config.items():
            library[decoder] = RawBufferList()
            for rb in rbs:
                template = decoder == "*" or "{key" in rb.out_name + rb.out_stream
                copy = RawBuffer(
                    key_list=rb.key_list,
                    out_stream=expand_out_stream(rb.out_stream, template),
                    out_name=rb.out_name,
                    proc_spec=rb.proc_spec,
                )
                library[decoder].append(copy)
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
            (a ValueError) where a buffer has no name or no ``key_list``, or a field
            that no buffer has.
        UndefinedKeywordError
            (a KeyError and a ValueError) for a keyword that `kw_dict` lacks.
        """
        self._set(config, kw_dict, lenient=True)

    def _set(self, config: dict, kw_dict: dict[str, Any] | None, lenient: bool) -> None:
        """Set up the library; `lenient` keeps unset environment variables as text."""
        expanded = expand_spec(config)
        lists = {
            decoder: _buffers_of(buffers, kw_dict, decoder, lenient)
            for decoder, buffers in expanded.items()
        }
        for decoder, rbs in lists.items():
            self.setdefault(decoder, RawBufferList()).extend(rbs)
        put_back_spec(config, expanded)

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


def _buffers_of(
    buffers: dict[str, dict],
    keywords: dict[str, Any] | None,
    decoder: str = "",
    lenient: bool = True,
) -> list[RawBuffer]:
    """Make the buffers that expanded descriptions ask for."""
    return [
        RawBuffer(**describe(name, info, keywords or {}, decoder, lenient))
        for name, info in buffers.items()
    ]


def files_of(rb_lib: RawBufferLibrary) -> list[str]:
    """Return the names of the files that a library is written to."""
    files = [split_out_stream(rb.out_stream)[0] for _, rb in rb_lib.buffers()]
    return [f for f in dict.fromkeys(files) if f]


def place_of(rb: RawBuffer) -> tuple[str, str]:
    """Return the file and path of a buffer's table in a normal form."""
    file, group = split_out_stream(rb.out_stream)
    parts = [p for p in f"{group}/{rb.out_name}".split("/") if p]
    return os.path.realpath(file), "/".join(parts)


def check_processing(rb: RawBuffer) -> list[str]:
    """Check a buffer's processing before data are read.

    Returns
    -------
    warnings
        a line for each part of its specification that is ignored.

    Raises
    ------
    OutSpecError
        (a ValueError) if the specification is invalid.
    ModuleNotFoundError
        if it needs dspeed, which is not installed.
    """
    if rb.proc_spec is None:
        return []
    from .buffer_processor.spec import ProcSpec  # noqa: PLC0415  (seldom needed)

    try:
        spec = ProcSpec.of(rb.proc_spec)
    except OutSpecError as e:
        msg = f"buffer '{rb.out_name}': {e}"
        raise OutSpecError(msg) from e
    if rb.plan is not None and rb.plan.needs_dspeed:
        from .buffer_processor.buffer_processor import check_dspeed  # noqa: PLC0415

        check_dspeed()
    return spec.warnings
