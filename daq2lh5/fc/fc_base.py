"""Base class of the FCIO decoders."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ..data_decoder import DataDecoder
from ._kernel import FcioKernel
from .fcio_objects import FcioObject, is_fcio

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..buffers.declaration import Table
    from ..raw_buffer import RawBuffer

__all__ = ["LONE_FSP", "FCDecoder", "FcioKernel"]

LONE_FSP = "FSP record before an FSPConfig, or without the record that it describes"
"""Rule in the report for records of the software trigger without a row."""


class FCDecoder(DataDecoder):
    """A decoder of FCIO records: a view of the stream's kernel.

    Attributes
    ----------
    decoded_values
        the columns of its table.
    key_list
        the keys that its rows can have.
    """

    table: Table
    default_values: dict[str, dict[str, Any]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.decoded_values = copy.deepcopy(self.default_values)
        self.key_list: list[int | str] = []
        self._stream: FcioKernel | None = None
        self._fcio: FcioObject | None = None

    def set_fcio_stream(self, fcio_stream: FcioKernel | Any) -> None:
        """Take keys and lengths from the configuration of a stream.

        Parameters
        ----------
        fcio_stream
            the stream of the records to be decoded; or an ``fcio.FCIO`` object.
        """
        if is_fcio(fcio_stream):
            fcio_stream = self._follow().configure(fcio_stream)
        self._stream = fcio_stream
        self.key_list = list(fcio_stream.keys()[self.table.name])

    def get_key_lists(self) -> list[list[int | str]]:
        """Return all keys in one list: they can share a buffer."""
        return [list(self.key_list)]

    def get_decoded_values(self, key: int | str | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Return the columns: the same for all keys."""
        return self.decoded_values

    def _follow(self) -> FcioObject:
        """Return the adapter for ``fcio.FCIO`` objects."""
        if self._fcio is None:
            self._fcio = FcioObject()
        return self._fcio

    def _bytes_of(
        self, fcio: bytes | Any, record: Callable[..., bytes], *details: Any
    ) -> bytes:
        """Return a record's bytes; `record` encodes an ``fcio.FCIO`` object."""
        if not is_fcio(fcio):
            return fcio
        follower = self._follow()
        self._stream = follower.stream
        return record(follower, fcio, *details)

    def _configured_by(self, fcio: bytes | Any, packet_id: int) -> FcioKernel:
        """Return the stream, or a new one, configured by a Config record."""
        if is_fcio(fcio):
            self._stream = self._follow().configure(fcio, with_fsp=True)
            return self._stream
        if self._stream is None:
            from ._kernel import FcioKernel  # noqa: PLC0415  (needs no stream so far)

            self._stream = FcioKernel()
        self._stream.decode_packet(fcio, {}, packet_id)
        return self._stream

    def _decode(
        self, packet: bytes, buffers: dict[int | str, RawBuffer], packet_id: int
    ) -> bool:
        """Decode the bytes of one record with the kernel.

        Returns
        -------
        any_full
            whether a buffer has no room for another record.
        """
        if self._stream is None:
            msg = f"{type(self).__name__}: call set_fcio_stream first"
            raise RuntimeError(msg)
        return self._stream.decode_packet(packet, {self.table.name: buffers}, packet_id)
