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
import string
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import OutSpecError, did_you_mean
from .table_buffer import TableBuffer, arrays_of, grow_vectors
from .writing.codecs import use_lh5_codecs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import h5py
    import lgdo
    import numpy as np
    from lh5 import LH5Store

    from .buffer_processor.plan import Plan
    from .lh5_writer import LH5Writer
    from .writing.layout import Layout

log = logging.getLogger(__name__)

__all__ = [
    "RawBuffer",
    "RawBufferLibrary",
    "RawBufferList",
    "expand_rblist_dict",
    "write_to_lh5_and_clear",
]

LH5_ARGUMENTS = frozenset({"start_row", "n_rows", "write_start"})
"""Arguments of :meth:`lh5.LH5Store.write` that this package leaves to it."""

BUFFER_FIELDS = ("key_list", "out_stream", "out_name", "proc_spec")
"""What the description of a buffer may say."""


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
    fill_safety
        rows that a single packet may add: with less room than that the buffer counts
        as full.
    """

    def __init__(
        self,
        lgdo: lgdo.LGDO | None = None,
        key_list: list[int | str] | None = None,
        out_stream: str = "",
        out_name: str = "",
        proc_spec: dict | str | None = None,
    ) -> None:
        self._table: TableBuffer | None = None
        self._exposed = False
        # whether rows of it were handed out
        self._used = False
        self._make: Callable[[], lgdo.LGDO] | None = None
        self._describe: Callable[[], tuple[Layout, list[np.ndarray]]] | None = None
        self.lgdo = lgdo
        self.key_list = [] if key_list is None else key_list
        self.out_stream = out_stream
        self.out_name = out_name
        self.proc_spec = proc_spec
        self.loc = 0
        self.fill_safety = 1

    @property
    def lgdo(self) -> lgdo.LGDO | None:  # noqa: D102  (see the class)
        if self._table is None:
            return self._writable()
        # from now on the user may change the arrays behind our back
        self._exposed = True
        return self._table.as_lgdo()

    @lgdo.setter
    def lgdo(self, value: lgdo.LGDO | None) -> None:
        self._lgdo = value
        self._table = None
        self._make = None
        self._describe = None

    def _make_later(
        self,
        make: Callable[[], lgdo.LGDO],
        describe: Callable[[], tuple[Layout, list[np.ndarray]]] | None = None,
    ) -> None:
        """Have `lgdo` made when it is first asked for: it takes an import.

        `describe` returns what a writer needs instead, if nobody asks.
        """
        self.lgdo = None
        self._make = make
        self._describe = describe

    def _own(self, table: TableBuffer) -> None:
        """Fill `table` instead of an LGDO; `lgdo` shows it."""
        self.lgdo = None
        self._table = table
        self._exposed = False

    def _pass_encoded(self, codec: str) -> None:
        """Have waveforms come encoded that are written so, and nothing else.

        Nobody may ask for `lgdo` then.

        Parameters
        ----------
        codec
            name of the codec by which the input has them encoded.
        """
        plan = self._plan
        fields = self._table.fields if plan is None else plan.untouched
        names = frozenset(
            f.name
            for f in fields
            if f.kind == "waveform" and f.codec is not None and f.codec.name == codec
        )
        if names:
            self._table = self._table.with_encoded(names, codec)

    @property
    def _allocated(self) -> bool:
        """Whether there is memory to write rows to."""
        if self._table is not None:
            return self._table.allocated
        return self._lgdo is not None

    @property
    def _private(self) -> bool:
        """Whether nobody but this package can reach the arrays."""
        return self._table is not None and not self._exposed

    def _arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of the table's columns by path; allocates them."""
        if self._private:
            return self._table.arrays
        return arrays_of(self.lgdo)

    def _grow(self, n: int) -> None:
        """Make room in the vector columns for `n` more elements."""
        if self._private:
            self._table.grow_vectors(self.loc, n)
        else:
            grow_vectors(self.lgdo, self.loc, n)

    def _enlarge(self, rows: int) -> None:
        """Make room for `rows` rows in the empty buffer.

        Raises
        ------
        ValueError
            if the rows are the user's: only the user can replace them.
        """
        if not self._private:
            msg = f"buffer '{self.out_name}' is too small for a packet of {rows} rows"
            raise ValueError(msg)
        self._table.resize(rows)

    def _append(self, values: dict[str, Any]) -> None:
        """Fill the next row from a dictionary: for tables with few rows."""
        row = self.loc
        self._grow(max(len(v) if hasattr(v, "__len__") else 0 for v in values.values()))
        arrays = self._arrays()
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
        if self._table is not None:
            return self._table.as_lgdo()
        if self._lgdo is None and self._make is not None:
            self._lgdo = self._make()
        return self._lgdo

    @property
    def _plan(self) -> Plan | None:
        """How the rows are processed; None if they are not, or not known before."""
        if self.proc_spec is None or self._table is None:
            return None
        return self._table.plan_for(self.proc_spec)

    @property
    def _layout(self) -> Layout | None:
        """How the rows are written; None if that must be seen from LGDOs."""
        if not self._private:
            return None
        plan = self._plan
        return self._table.layout if plan is None else plan.layout

    def _processed(self, db_dict: dict | None) -> tuple[lgdo.LGDO | None, int | None]:
        """Return the data for a writer, and how many rows count (None: all)."""
        data = self._writable()
        if data is None:
            return None, None
        n_rows = self._rows_to_write(data)
        if self.proc_spec is None or n_rows is None:
            return data, n_rows
        import lgdo  # noqa: PLC0415  (there is an object of it already)

        if not isinstance(data, lgdo.Table):
            log.info("buffer '%s' is no table: not processed", self.out_name)
            return data, n_rows
        from .buffer_processor.buffer_processor import process_rows  # noqa: PLC0415

        # what the plan has is checked already
        spec = self.proc_spec if self._plan is None else self._plan.spec
        return process_rows(data, n_rows, spec, db_dict), n_rows

    def _rows_to_write(self, data: lgdo.LGDO) -> int | None:
        """Return how many rows of `data` count; None for what is written whole."""
        datatype = data.attrs["datatype"]
        whole = datatype.startswith("struct") or "{" not in datatype
        return None if whole else self.loc

    def __len__(self) -> int:
        if self._table is not None:
            return self._table.size
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
    """The buffers that one decoder fills: all of the same columns."""

    def __init__(self) -> None:
        super().__init__()
        self.keyed_dict: dict[int | str, RawBuffer] | None = None

    def get_keyed_dict(self) -> dict[int | str, RawBuffer]:
        """Return the buffer for each key.

        Several keys may lead to the same buffer. Where two buffers ask for a key, the
        last one gets it, and a warning is logged.
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

        See :meth:`RawBufferLibrary.set_from_dict`; `config` is expanded in place.
        """
        expand_rblist_dict(config, {} if kw_dict is None else kw_dict)
        for name, info in config.items():
            self.append(
                RawBuffer(
                    key_list=info["key_list"],
                    out_stream=info.get("out_stream", ""),
                    out_name=info.get("out_name", name),
                    proc_spec=info.get("proc_spec"),
                )
            )

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

    def set_from_dict(
        self, config: dict, kw_dict: dict[str, str] | None = None
    ) -> None:
        """Set up the library from its shorthand.

        The dictionary has, for each decoder name, buffers by name::

            {decoder: {name: {"key_list": [...], "out_stream": "file.lh5:group",
                              "out_name": "...", "proc_spec": {...}}}}

        where all but ``key_list`` may be left out, and the table is called `name`
        unless ``out_name`` says otherwise. Expanded are, in this order:

        - ``{name}`` in a name: to the decoder's name without ``Decoder``;
        - a list of two integers in ``key_list``: to the range of keys from the first to
          the last;
        - ``{key:...}`` in a name: to a buffer for each key;
        - keywords (`kw_dict`), ``{name}`` and ``{key}`` in ``out_stream`` and
          ``out_name``;
        - environment variables in ``out_stream``;
        - when the stream is opened, ``*`` in keys and the decoder name ``*``: to the
          keys and decoders that nothing else in the specification asks for.

        Parameters
        ----------
        config
            the shorthand; it is expanded in place.
        kw_dict
            values of keywords.

        Raises
        ------
        OutSpecError
            (a ValueError) where a buffer has no name or no ``key_list``, or a field
            that no buffer has.
        KeyError
            for a keyword that `kw_dict` lacks.
        """
        for decoder, buffers in config.items():
            if decoder not in self:
                self[decoder] = RawBufferList()
            if decoder != "*":
                _fill_in_decoder(decoder, buffers)
            self[decoder].set_from_dict(buffers, kw_dict)

    def get_list_of(self, attribute: str, unique: bool = True) -> list:
        """Return the values that an attribute of the buffers has.

        Parameters
        ----------
        attribute
            name of an attribute of :class:`RawBuffer`.
        unique
            leave out what an earlier decoder's buffers have too.
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


def files_of(rb_lib: RawBufferLibrary) -> list[str]:
    """Return the names of the files that a library is written to."""
    files = [split_out_stream(rb.out_stream)[0] for _, rb in rb_lib.buffers()]
    return [f for f in dict.fromkeys(files) if f]


def has_wildcard(key: object) -> bool:
    """Whether a key of a key list is a pattern."""
    return isinstance(key, str) and "*" in key


def place_of(rb: RawBuffer) -> tuple[str, str]:
    """Return the file and the path of a buffer's table, however they are spelled."""
    file, group = split_out_stream(rb.out_stream)
    parts = [p for p in f"{group}/{rb.out_name}".split("/") if p]
    return os.path.realpath(file), "/".join(parts)


def split_out_stream(out_stream: str) -> tuple[str, str]:
    """Split ``file:group`` into file and group (``/`` if there is none)."""
    file, _, group = out_stream.partition(":")
    return file, group or "/"


def fill_in(template: str, values: dict[str, Any], keep: tuple[str, ...] = ()) -> str:
    """Format `template`, leaving the fields named in `keep` as they stand.

    A field that `values` lacks, or cannot be formatted as asked, is a KeyError or a
    ValueError as of :meth:`str.format`.
    """
    parts = list(string.Formatter().parse(template))
    # what is formatted again later keeps its doubled braces
    again = any(name in keep and name not in values for _, name, _, _ in parts)
    out = []
    for literal, name, spec, conversion in parts:
        out.append(literal.replace("{", "{{").replace("}", "}}") if again else literal)
        if name is None:
            continue
        field = "{" + name
        field += f"!{conversion}" if conversion else ""
        field += f":{spec}" if spec else ""
        field += "}"
        if name in keep and name not in values:
            out.append(field)
        else:
            out.append(field.format(**values))
    return "".join(out)


def expand_rblist_dict(config: dict, kw_dict: dict[str, str]) -> None:
    """Expand the shorthand of one decoder's buffers, in place.

    See :meth:`RawBufferLibrary.set_from_dict`.
    """
    if not isinstance(config, dict):
        msg = f"the buffers of a decoder are a dictionary by name, not {config!r}"
        raise OutSpecError(msg)
    for name in list(config):
        info = config[name]
        _check_description(name, info)
        _expand_ranges(name, info["key_list"])
        if "{key" in name and not _is_pattern(info):
            del config[name]
            for key in dict.fromkeys(info["key_list"]):
                expanded = name.format(key=key)
                if expanded in config:
                    msg = f"'{name}' expands to '{expanded}', which there is already"
                    raise OutSpecError(msg)
                config[expanded] = info | {"key_list": [key]}

    for name, info in config.items():
        values: dict[str, Any] = {"name": name} | kw_dict
        if len(info["key_list"]) == 1 and not _is_pattern(info):
            values["key"] = info["key_list"][0]
        for field in ("out_stream", "out_name"):
            if field not in info:
                continue
            # what a pattern stands for is known when the stream is open
            keep = ("key",) if _is_pattern(info) else ()
            if field == "out_name":
                keep = ("key", "name")
            try:
                info[field] = fill_in(info[field], values, keep)
            except KeyError as e:
                msg = f"{e} in {field} of buffer '{name}' is not defined"
                raise KeyError(msg) from None
        if "out_stream" in info:
            info["out_stream"] = os.path.expandvars(info["out_stream"])


def _fill_in_decoder(decoder: str, buffers: Any) -> None:
    """Fill in the decoder in the names of its buffers, in place."""
    short = str(decoder).removesuffix("Decoder")
    for name in list(buffers) if isinstance(buffers, dict) else ():
        # all are put back, so that they stay in order
        info = buffers.pop(name)
        # in YAML a name may be a number
        filled_in = str(name).replace("{name}", short)
        if filled_in in buffers:
            msg = f"{decoder}: '{name}' is '{filled_in}', which there is already"
            raise OutSpecError(msg)
        buffers[filled_in] = info


def _check_description(name: str, info: Any) -> None:
    """Refuse a description of a buffer that cannot be meant so."""
    if name == "":
        msg = "a buffer needs a name"
        raise OutSpecError(msg)
    if not isinstance(info, dict):
        msg = f"buffer '{name}': expected a dictionary with a key_list, not {info!r}"
        raise OutSpecError(msg)
    for field in info:
        if field not in BUFFER_FIELDS:
            hint = did_you_mean(str(field), BUFFER_FIELDS)
            msg = f"buffer '{name}': unknown field '{field}'{hint}"
            raise OutSpecError(msg)
    if "key_list" not in info:
        msg = f"buffer '{name}' has no key_list"
        raise OutSpecError(msg)
    if not isinstance(info["key_list"], list):
        msg = f"buffer '{name}': key_list is {info['key_list']!r}, not a list"
        raise OutSpecError(msg)


def _is_pattern(info: dict) -> bool:
    """Whether the keys of a buffer are known only when the stream is open."""
    return any(has_wildcard(key) for key in info["key_list"])


def _expand_ranges(name: str, key_list: list) -> None:
    """Replace each list of two integers by the range from one to the other."""
    i = 0
    while i < len(key_list):
        entry = key_list[i]
        if not isinstance(entry, list):
            i += 1
            continue
        if (
            len(entry) != 2
            or not all(isinstance(end, int) for end in entry)
            or entry[0] > entry[1]
        ):
            msg = f"buffer '{name}': {entry!r} in key_list is no range [first, last]"
            raise OutSpecError(msg)
        keys = range(entry[0], entry[1] + 1)
        key_list[i : i + 1] = keys
        i += len(keys)


def write_to_lh5_and_clear(
    raw_buffers: list[RawBuffer],
    lh5_store: LH5Store | None = None,
    db_dict: dict | None = None,
    **kwargs: Any,
) -> None:
    """Append buffers to their LH5 files, and empty them.

    Parameters
    ----------
    raw_buffers
        the buffers; those without rows are left alone, those without a file are only
        emptied.
    lh5_store
        a store with open files to use.
    db_dict
        values for the processing of a buffer, by the name of its table or group.
    **kwargs
        passed to :meth:`lh5.LH5Store.write`: HDF5 settings of files and datasets. With
        any other argument (`wo_mode`, `start_row`, ...) lh5 does the writing.
    """
    from .lh5_writer import LH5Writer, split_settings  # noqa: PLC0415  (imports h5py)

    modes = {kwargs.get("wo_mode") or "a", getattr(lh5_store, "default_mode", "a")}
    if not modes <= {"a", "append", "r"} or LH5_ARGUMENTS.intersection(kwargs):
        _write_with_lh5(raw_buffers, lh5_store, db_dict, kwargs)
        return
    settings = {k: v for k, v in kwargs.items() if k != "wo_mode"}
    of_file, of_datasets = split_settings(settings)
    with ExitStack() as stack:
        files: dict[str, h5py.File] = {}
        for rb in raw_buffers:
            file, group = split_out_stream(rb.out_stream)
            if rb.loc > 0 and file:
                handle = _open_to_append(file, lh5_store, of_file, files, stack)
                writer = LH5Writer(handle, of_datasets, more_to_come=True)
                with closing(writer):
                    append_buffer(rb, writer, group, db_dict=db_dict)
                    writer.finish()
            rb.loc = 0


def append_buffer(
    rb: RawBuffer,
    writer: LH5Writer,
    group: str,
    exchange: bool = False,
    db_dict: dict | None = None,
    processing: AbstractContextManager[None] | None = None,
) -> None:
    """Append the filled rows of a buffer to a file, processed as its `proc_spec` says.

    Parameters
    ----------
    rb
        the buffer.
    writer
        of the file.
    group
        to put the table in.
    exchange
        whether the buffer may get other memory for its next rows. Otherwise its rows
        are not needed any more when this returns.
    db_dict
        values for the processing, see :func:`write_to_lh5_and_clear`.
    processing
        entered while rows are processed, to time that.
    """
    processing = processing or nullcontext()
    if rb._lgdo is None and rb._describe is not None:
        # a header is no table with rows to process
        writer.append(*rb._describe(), rb.out_name, group)
        writer.drain()
        return
    layout = rb._layout
    if layout is None:
        with processing:
            data, n_rows = rb._processed(_database_of(rb, group, db_dict))
        if data is not None:
            writer.append_lgdo(data, rb.out_name, group, n_rows)
        return
    table, plan = rb._table, rb._plan
    release = None
    with processing:
        if plan is not None and (plan.own_rows or not exchange):
            rows = plan.run(table.arrays, rb.loc, own=exchange)
        else:
            arrays = table.arrays
            if exchange:
                arrays, release = table.take()
            rows = (table.rows if plan is None else plan.run)(arrays, rb.loc)
    writer.append(layout, rows, rb.out_name, group, release)
    if not exchange:
        writer.drain()


def _database_of(rb: RawBuffer, group: str, db_dict: dict | None) -> dict | None:
    """Return the values for a buffer: its table's or its group's."""
    if db_dict is None:
        return None
    return db_dict.get(rb.out_name, db_dict.get(group))


def check_processing(rb: RawBuffer) -> list[str]:
    """Make sure that a buffer can be processed, as far as that is known before.

    Returns
    -------
    warnings
        what of its specification is ignored.

    Raises
    ------
    OutSpecError
        (a ValueError) if the specification is not as it must be.
    ModuleNotFoundError
        if it needs dspeed and that is not there.
    """
    if rb.proc_spec is None:
        return []
    from .buffer_processor.spec import ProcSpec  # noqa: PLC0415  (seldom needed)

    try:
        spec = ProcSpec.of(rb.proc_spec)
    except OutSpecError as e:
        msg = f"buffer '{rb.out_name}': {e}"
        raise OutSpecError(msg) from e
    if rb._plan is not None and rb._plan.needs_dspeed:
        from .buffer_processor.buffer_processor import check_dspeed  # noqa: PLC0415

        check_dspeed()
    return spec.warnings


def _open_to_append(
    file: str,
    lh5_store: LH5Store | None,
    settings: dict[str, Any],
    files: dict[str, h5py.File],
    stack: ExitStack,
) -> h5py.File:
    """Return an open file. One that is no store's to keep is closed by `stack`."""
    import h5py  # noqa: PLC0415  (this module does not need it otherwise)

    path = Path(file) if lh5_store is None else lh5_store.base_path / file
    real = os.path.realpath(path)
    if real in files:
        return files[real]
    new = not path.exists()
    if not new:
        # these are for new files
        settings = {k: v for k, v in settings.items() if not k.startswith("fs_")}
    if lh5_store is None:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        handle = h5py.File(path, "w" if new else "a", **settings)
    else:
        handle = lh5_store.gimme_file(file, "a", **settings)
        if lh5_store.keep_open:
            # it may be closed when another one is opened
            return handle
    files[real] = stack.enter_context(handle)
    return handle


def _write_with_lh5(
    raw_buffers: list[RawBuffer],
    lh5_store: LH5Store | None,
    db_dict: dict | None,
    kwargs: dict[str, Any],
) -> None:
    """Write in another way than by appending."""
    if lh5_store is None:
        from lh5 import LH5Store  # noqa: PLC0415  (takes a second)

        lh5_store = LH5Store()
    for rb in raw_buffers:
        file, group = split_out_stream(rb.out_stream)
        if rb.loc > 0 and file:
            data, n_rows = rb._processed(_database_of(rb, group, db_dict))
            if data is not None:
                use_lh5_codecs(data)
                rows = {"n_rows": n_rows} | kwargs
                lh5_store.write(data, rb.out_name, file, group=group, **rows)
        rb.loc = 0
