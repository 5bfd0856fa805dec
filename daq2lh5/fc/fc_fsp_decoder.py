"""Decoders of the records of FlashCam's stream processor (software trigger)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..writing.layout import layout_of_values
from .fc_base import FCDecoder
from .fcio_objects import FcioObject, is_fcio
from .fsp_columns import FSP_CONFIG, FSP_EVENT, FSP_STATUS

if TYPE_CHECKING:
    import lgdo

    from ..raw_buffer import RawBuffer
    from ..writing.layout import Layout
    from ._kernel import FcioKernel

fsp_config_decoded_values = FSP_CONFIG.decoded_values()
"""Columns of the table ``FSPConfig``."""

fsp_event_decoded_values = FSP_EVENT.decoded_values()
"""Columns of the table ``FSPEvent``."""

fsp_status_decoded_values = FSP_STATUS.decoded_values()
"""Columns of the table ``FSPStatus``."""


class FSPConfigDecoder(FCDecoder):
    """Decode FSPConfig records: the settings of the software trigger.

    48 frames, listed in FCIO format, 2.2. In a native file there is one such record,
    in front of the first Config, and it is written as a struct.
    """

    table = FSP_CONFIG
    default_values = fsp_config_decoded_values

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fsp_config: lgdo.Struct | None = None

    @property
    def fsp_config(self) -> lgdo.Struct:
        """The settings of the stream as a struct; empty without an FSPConfig."""
        if self._fsp_config is None:
            import lgdo  # noqa: PLC0415  (takes a second; most files have none)

            self._fsp_config = lgdo.Struct()
            values, attrs = self._values()
            for name, value in values.items():
                kind = lgdo.Array if isinstance(value, np.ndarray) else lgdo.Scalar
                self._fsp_config.add_field(name, kind(value, attrs=attrs[name]))
        return self._fsp_config

    def _values(self) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
        """Return the settings by name, and their attributes."""
        values = (None if self._stream is None else self._stream.fsp_config) or {}
        describe = self.decoded_values
        attrs = {
            name: {k: v for k, v in describe[name].items() if k == "description"}
            for name in values
        }
        return values, attrs

    def describe_lgdo(self) -> tuple[Layout, list[np.ndarray]]:
        """Return the layout and the arrays of the struct in the file."""
        return layout_of_values(*self._values())

    def set_fcio_stream(self, fcio_stream: FcioKernel | Any) -> None:
        """Take the settings from a stream."""
        if is_fcio(fcio_stream):
            fcio_stream = self._follow().configure(fcio_stream, with_fsp=True)
        super().set_fcio_stream(fcio_stream)
        self._fsp_config = None

    def make_lgdo(
        self,
        key: int | str | None = None,  # noqa: ARG002
        size: int | None = None,  # noqa: ARG002
    ) -> lgdo.Struct:
        """Return the struct of the settings."""
        return self.fsp_config

    def decode_config(self, fcio: FcioKernel | Any) -> lgdo.Struct:
        """Return the latest settings of a stream as a struct.

        Parameters
        ----------
        fcio
            the stream; or an ``fcio.FCIO`` object.
        """
        self.set_fcio_stream(fcio)
        return self.fsp_config

    def decode_packet(
        self, fcio: bytes | Any, fsp_config_rb: RawBuffer, packet_id: int
    ) -> bool:
        """Decode an FSPConfig record into the next row of a buffer with a table.

        Parameters
        ----------
        fcio
            the record's bytes, or an ``fcio.FCIO`` object that has just read it.
        fsp_config_rb
            the buffer.
        packet_id
            number of the packet.

        Returns
        -------
        full
            whether the buffer is full.
        """
        self.append_row(self._configured_by(fcio, packet_id), fsp_config_rb, packet_id)
        return fsp_config_rb.is_full()

    def append_row(self, stream: FcioKernel, rb: RawBuffer, packet_id: int) -> None:
        """Fill the next row of a buffer with the latest settings of a stream."""
        values = dict(stream.fsp_config)
        for name, value in values.items():
            if value.dtype.kind == "S":
                labels = np.zeros(self.decoded_values[name]["length"], value.dtype)
                labels[: len(value)] = value
                values[name] = labels
        rb.append({"packet_id": packet_id} | values)


class FSPEventDecoder(FCDecoder):
    """Decode FSPEvent records: one row for each that describes an event.

    10 or 11 frames, listed in FCIO format, 2.2.
    """

    table = FSP_EVENT
    default_values = fsp_event_decoded_values

    def decode_packet(
        self,
        fcio: bytes | Any,
        fsp_evt_rbkd: dict[str, RawBuffer],
        packet_id: int,
        is_header: bool = False,
    ) -> bool:
        """Decode an FSPEvent record; its event must follow it.

        Parameters
        ----------
        fcio
            the bytes of both records, or an ``fcio.FCIO`` object that has just read
            either.
        fsp_evt_rbkd
            the buffers by key, or one buffer for all.
        packet_id
            number of the packet.
        is_header
            whether the event is an event header; unused if `fcio` is bytes.

        Returns
        -------
        any_full
            whether a buffer is full.
        """
        packet = self._bytes_of(fcio, FcioObject.fsp_event, is_header)
        return self._decode(packet, fsp_evt_rbkd, packet_id)


class FSPStatusDecoder(FCDecoder):
    """Decode FSPStatus records: one row for each that describes a status.

    One frame of 112 bytes, see FCIO format, 2.2.
    """

    table = FSP_STATUS
    default_values = fsp_status_decoded_values

    def decode_packet(
        self, fcio: bytes | Any, fsp_status_rbkd: dict[str, RawBuffer], packet_id: int
    ) -> bool:
        """Decode an FSPStatus record; its status must follow it.

        Parameters
        ----------
        fcio
            the bytes of both records, or an ``fcio.FCIO`` object that has just read
            either.
        fsp_status_rbkd
            the buffer by key, or the buffer.
        packet_id
            number of the packet.

        Returns
        -------
        any_full
            whether the buffer is full.
        """
        packet = self._bytes_of(fcio, FcioObject.fsp_status)
        return self._decode(packet, fsp_status_rbkd, packet_id)
