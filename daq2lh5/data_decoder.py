"""Base class of all decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .buffers.garbage import Garbage
from .buffers.table_buffer import TableBuffer

if TYPE_CHECKING:
    from collections.abc import Callable

    import lgdo
    import numpy as np
    from lh5 import LH5Store

    from .buffers.declaration import Table
    from .writing.layout import Layout

__all__ = ["DataDecoder"]


class DataDecoder:
    """Turns packets of one kind into rows of a table.

    `decoded_values` describes the columns: it has, by column name, a dictionary with
    ``dtype`` and, where they apply, ``datatype`` (``waveform``,
    ``array<1>{array<1>{real}}``, ``array_of_equalsized_arrays<1,1>{real}``), ``units``
    and what the datatype needs (a ``wf_len`` of None makes lists of waveforms). Every
    other entry becomes an attribute of the column.
    ``hdf5_settings`` and ``compression`` set how the column is written; those of a
    waveform are dictionaries by member (``values``, ``t0``, ``dt``), where
    ``compression`` of the values may be a codec of waveforms. The user may change the
    dictionary before a stream is opened.

    Parameters
    ----------
    garbage_length, packet_size_guess
        kept for compatibility: the garbage grows as needed.
    extra_columns
        write the columns that legend-daq2lh5 lacks, too.
    """

    table: Table | None = None
    """Declaration of the columns of a decoder with one table."""

    codec_of_input: str | None = None
    """Name of the codec of the input's waveforms. A kernel of such a decoder must also
    fill columns with the encoded bytes: see `.Field.encoded`."""

    def __init__(
        self,
        garbage_length: int = 256,  # noqa: ARG002
        packet_size_guess: int = 1024,  # noqa: ARG002
        *,
        extra_columns: bool = False,
    ) -> None:
        self.extra_columns = extra_columns
        self._garbage = Garbage()

    @property
    def garbage_table(self) -> lgdo.Table | None:
        """The packets in the garbage so far, as a table; None without packets."""
        return self._garbage.as_lgdo() if len(self._garbage) else None

    def get_key_lists(self) -> list[list[int | str]]:
        """Return the keys, in lists of keys that may share a buffer."""
        return [[None]]

    def get_decoded_values(self, key: int | str | None = None) -> dict:
        """Return the columns of the table that data with `key` go to.

        Raises
        ------
        NotImplementedError
            if `key` is given: a decoder whose columns depend on it overloads this.
        """
        if key is None:
            return getattr(self, "decoded_values", None)
        msg = f"{type(self).__name__} has no columns by key"
        raise NotImplementedError(msg)

    def make_lgdo(
        self, key: int | str | None = None, size: int | None = None
    ) -> lgdo.LGDO:
        """Make an empty object that the decoder can fill.

        Parameters
        ----------
        key
            key of the data that will go there.
        size
            number of rows.

        Returns
        -------
        table
            an :class:`lgdo.Table` of `size` rows.
        """
        return self.make_buffer(key, size).as_lgdo()

    describe_lgdo: Callable[[], tuple[Layout, list[np.ndarray]]] | None = None
    """Returns layout and arrays of the object that `make_lgdo` makes, for a writer.
    None for tables."""

    def make_buffer(self, key: int | str | None, size: int) -> TableBuffer:
        """Make an empty table of `size` rows for data with `key`, without lgdo."""
        if not hasattr(self, "decoded_values"):
            msg = f"{type(self).__name__} has no decoded_values for a table"
            raise AttributeError(msg)
        return TableBuffer(self.columns_of(key), size, type(self).__name__)

    def columns_of(self, key: int | str | None) -> dict:
        """Return the columns for a key, announced by the stream or not."""
        return self.get_decoded_values(key)

    def describe_columns(self) -> dict[str, dict[str, str]]:
        """Return descriptions of its columns, by kind of table and column name."""
        if self.table is None:
            return {}
        return {self.table.name: self.table.describe(self.extra_columns)}

    def get_max_rows_in_packet(self) -> int:
        """Return the largest number of rows that one packet can give."""
        return 1

    def put_in_garbage(self, packet: Any, packet_id: int, code: int) -> None:
        """Keep a packet that cannot be decoded.

        Parameters
        ----------
        packet
            its bytes.
        packet_id
            its number in the stream.
        code
            reason, as a number that the decoder defines.
        """
        self._garbage.add(memoryview(packet).cast("B"), packet_id, code, 0)

    def write_out_garbage(
        self, filename: str, group: str = "/", lh5_store: LH5Store | None = None
    ) -> None:
        """Append the packets in the garbage to the table ``garbage``; forget them."""
        if not len(self._garbage):
            return
        if lh5_store is None:
            from lh5 import LH5Store  # noqa: PLC0415  (takes a second)

            lh5_store = LH5Store()
        lh5_store.write(self.garbage_table, "garbage", filename, group=group)
        self._garbage.clear()
