"""Decoders of FlashCam data since 2024: FCIO records in ORCA packets.

A packet is :ref:`wire-orca_fcio`, records of one FCIO stream, and up to three zero
bytes (ORCA format, 4.4). The kernel of native FCIO files decodes the records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import DecodeError
from ..fc.fc_base import FcioKernel
from ..fc.fc_config_decoder import FCConfigDecoder
from ..fc.fc_event_decoder import FCEventDecoder
from ..fc.fc_eventheader_decoder import FCEventHeaderDecoder
from ..fc.fc_fsp_decoder import FSPConfigDecoder, FSPEventDecoder, FSPStatusDecoder
from ..fc.fc_status_decoder import FCStatusDecoder
from .orca_base import OrcaDecoder
from .orca_flashcam import Listener, get_fcid, listeners_of, shared_table

if TYPE_CHECKING:
    from ..fc.fc_base import FCDecoder
    from ..raw_buffer import RawBuffer, RawBufferList
    from .orca_header import OrcaHeader
    from .orca_packet import OrcaPacket

__all__ = [
    "FCIODecoder",
    "ORFCIOConfigDecoder",
    "ORFCIOEventDecoder",
    "ORFCIOEventHeaderDecoder",
    "ORFCIOStatusDecoder",
    "extract_header_information",
    "fcio_stream_library",
    "get_fcio_stream",
]

fcio_stream_library: dict[int, FcioKernel] = {}
"""Streams of packets that are decoded one at a time, without a streamer."""


def get_fcio_stream(streamid: int) -> FcioKernel:
    """Return the state of a stream of packets that are decoded one at a time.

    A streamer has its own streams.

    Parameters
    ----------
    streamid
        word 2 of the stream's packets.
    """
    return fcio_stream_library.setdefault(
        int(streamid), FcioKernel(int(streamid) & 0xFFFF)
    )


def extract_header_information(header: OrcaHeader) -> dict[str, dict[int, Any]]:
    """Return the settings of a header's listeners.

    Returns
    -------
    info
        settings by listener id: keys of the inputs in use (``key_list``) and their
        number (``n_adc``); number of cards (``n_card``); crate, slot and address of
        each card, by address (``adc_card_layout``); samples of a trace (``wf_len``);
        whether a stream processor is in use (``fsp_enabled``).
    """
    listeners = listeners_of(header)
    return {
        "key_list": {x.fcid: x.keys for x in listeners},
        "n_adc": {x.fcid: len(x.keys) for x in listeners},
        "adc_card_layout": {
            x.fcid: {
                address: (crate, slot, address) for crate, slot, address, _ in x.cards
            }
            for x in listeners
        },
        "wf_len": {x.fcid: x.n_samples for x in listeners},
        "fsp_enabled": {x.fcid: x.fsp for x in listeners},
        "n_card": {x.fcid: x.n_children for x in listeners},
    }


def fcid_of(key: int | str) -> int:
    """Return the listener of a key: a number, or a name like ``fcid_1/evt_hdr``."""
    if isinstance(key, int):
        return get_fcid(key)
    return int(key.partition("_")[2].partition("/")[0])


def lists_by_listener(listeners: list[Listener]) -> list[int | None]:
    """Return the listener of each key list; None for stream processors."""
    return [i for x in listeners for i in ((x.fcid, None) if x.fsp else (x.fcid,))]


def place_of_listener(
    key: int | str, key_lists: list[list], fcids: list[int | None], part: str
) -> tuple[int | None, str]:
    """Return the table for rows of a key, where each listener has a key list."""
    fcid = fcid_of(key)
    number, ending = shared_table(key, fcid, key_lists, fcids)
    return number, ending if fcid in fcids else f"{ending}/{part}"


def records(*tags: int) -> int:
    """Return the records that a packet may have, as a bit mask for the kernel."""
    return sum(1 << tag for tag in tags)


ANY_RECORDS = records(1, 3, 4, 6, 7)
"""Mask for packets whose decoder name does not determine their records."""


class FCIODecoder(OrcaDecoder):
    """Base class of decoders of FCIO packets.

    Attributes
    ----------
    part
        suffix of the keys of rows that do not belong to a channel.
    decoder, fsp_decoder
        decoders of the records; they define the columns.
    decoded_values
        columns of the tables: of listeners (``"fcid"``), and of stream processors
        (``"swtid"``) if the header has one.
    key_list
        lists of keys; each list shares a table.
    max_rows_in_packet
        largest number of rows of a packet in one table.
    """

    kind = "fcio"
    part: ClassVar[str]
    decoder_class: ClassVar[type[FCDecoder]]
    fsp_class: ClassVar[type[FCDecoder]]

    def __init__(self, header: OrcaHeader | None = None, **kwargs: Any) -> None:
        self.decoder = self.decoder_class()
        self.fsp_decoder = self.fsp_class()
        self.decoded_values: dict[int | str, dict[str, Any]] = {}
        self.max_rows_in_packet = 1
        self._key_lists: list[list[int | str]] = []
        super().__init__(header=header, **kwargs)

    def set_header(self, header: OrcaHeader) -> None:
        """Set the keys from a header."""
        super().set_header(header)
        listeners = listeners_of(header)
        self._key_lists = self._keys(listeners)
        self._set_values(listeners)

    def _keys(self, listeners: list[Listener]) -> list[list[int | str]]:
        """Return the lists of keys that share a table."""
        raise NotImplementedError

    def _set_values(self, listeners: list[Listener]) -> None:
        """Set the columns of the tables of these listeners."""
        self.decoded_values["fcid"] = self.decoder.decoded_values
        if any(x.fsp for x in listeners):
            self.decoded_values["swtid"] = self.fsp_decoder.decoded_values

    @property
    def key_list(self) -> Any:
        """The keys of the rows."""
        return self._key_lists

    def fsp_key(self, fcid: int) -> str:
        """Return the key of the rows of a listener's stream processor."""
        return f"swtid_{fcid}/{self.part}"

    def place_of(self, key: int | str) -> tuple[int | None, str]:  # noqa: D102
        number = int(str(key).startswith("swtid_"))
        if len(self._key_lists[number]) > 1:
            return number, ""
        return None, str(key)

    def keys_of(self, stream: FcioKernel) -> list[int | str]:
        """Return the keys of a stream's rows, from its configuration."""
        fcid = stream.config.streamid & 0xFFFF
        own = stream.keys()[self.decoder.table.name]
        return [*own, self.fsp_key(fcid)] if stream.fsp else own

    def describe_columns(self) -> dict[str, dict[str, str]]:
        """Return descriptions of the columns of both decoders' tables."""
        return self.decoder.describe_columns() | self.fsp_decoder.describe_columns()

    def get_key_lists(self) -> list[list[int | str]]:
        """Return lists of keys; each list shares a table."""
        return [list(keys) for keys in self._key_lists]

    def get_decoded_values(self, key: int | str | None = None) -> dict[str, Any]:
        """Return the columns of the table for a key."""
        if isinstance(key, str) and key.startswith("swtid_"):
            return self.fsp_decoder.decoded_values
        return self.decoder.decoded_values

    def keyed(self, buffers: dict[int | str, RawBuffer], fcid: int) -> dict[str, Any]:
        """Return the buffers for the rows of one listener, by table and key."""
        own = {k: rb for k, rb in buffers.items() if rb is not None}
        own = {k: rb for k, rb in own.items() if fcid_of(k) == fcid}
        fsp = {k: rb for k, rb in own.items() if str(k).startswith("swtid_")}
        rest = {k: rb for k, rb in own.items() if k not in fsp}
        return {self.decoder.table.name: rest, self.fsp_decoder.table.name: fsp}

    def decode_packet(
        self, packet: OrcaPacket, packet_id: int, rbl: RawBufferList
    ) -> bool:
        """Decode one packet. Decode the configuration of its stream first.

        Parameters
        ----------
        packet
            its words.
        packet_id
            number of the packet.
        rbl
            the buffers.

        Returns
        -------
        any_full
            whether a buffer is full.

        Raises
        ------
        DecodeError
            if the packet has no records.
        """
        if len(packet) < 4:
            msg = f"FCIO packet of {len(packet)} words, expected at least 4"
            raise DecodeError(msg)
        stream = get_fcio_stream(packet[2])
        buffers = rbl.get_keyed_dict()
        keyed = self.keyed(buffers, int(packet[2]) & 0xFFFF)
        any_full = stream.decode_packet(packet[3:].tobytes(), keyed, packet_id)
        return any_full or any(rb.is_full() for rb in rbl)


class ORFCIOConfigDecoder(FCIODecoder):
    """Decode configurations: one row each, and one row for the stream processor."""

    variant = records(1)
    part = "config"
    decoder_class = FCConfigDecoder
    fsp_class = FSPConfigDecoder

    def _keys(self, listeners: list[Listener]) -> list[list[int | str]]:
        return [
            [f"fcid_{x.fcid}/config" for x in listeners],
            [self.fsp_key(x.fcid) for x in listeners if x.fsp],
        ]

    @property
    def key_list(self) -> dict[str, list[int | str]]:
        """The keys of the rows: of listeners, and of their stream processors."""
        return dict(zip(("fc_config", "fsp_config"), self._key_lists, strict=False))

    def append_rows(
        self, stream: FcioKernel, buffers: dict[int | str, RawBuffer], packet_id: int
    ) -> bool:
        """Fill the next rows with the current configuration of a stream.

        Parameters
        ----------
        stream
            the stream.
        buffers
            the existing buffers by key.
        packet_id
            number of the packet.

        Returns
        -------
        any_full
            whether a buffer is full.
        """
        fcid = stream.config.streamid & 0xFFFF
        any_full = False
        rb = buffers.get(f"fcid_{fcid}/config")
        if rb is not None:
            self.decoder.append_row(stream, rb, packet_id)
            any_full = rb.is_full()
        rb = buffers.get(self.fsp_key(fcid))
        if rb is not None and stream.fsp_is_config:
            self.fsp_decoder.append_row(stream, rb, packet_id)
            any_full |= rb.is_full()
        return any_full

    def decode_packet(
        self, packet: OrcaPacket, packet_id: int, rbl: RawBufferList
    ) -> bool:
        """Store a configuration for the stream, and append its row.

        For parameters, return value and errors see :meth:`.FCIODecoder.decode_packet`.
        """
        super().decode_packet(packet, packet_id, rbl)
        stream = get_fcio_stream(packet[2])
        return self.append_rows(stream, rbl.get_keyed_dict(), packet_id)


class ORFCIOEventDecoder(FCIODecoder):
    """Decode events: one row per trace, and one row for the stream processor.

    Attributes
    ----------
    decoded_values
        columns of the tables: of each listener by its id, and of stream processors
        (``"swtid"``) if the header has one.
    skipped_channels
        number of unselected traces by key.
    """

    variant = records(3, 6)
    part = "event"
    decoder_class = FCEventDecoder
    fsp_class = FSPEventDecoder

    def __init__(self, header: OrcaHeader | None = None, **kwargs: Any) -> None:
        self.skipped_channels: dict[int, int] = {}
        super().__init__(header=header, **kwargs)

    def _set_values(self, listeners: list[Listener]) -> None:
        for x in listeners:
            self.set_trace(x.fcid, x.n_samples, x.period)
            if x.fsp:
                self.decoded_values["swtid"] = self.fsp_decoder.decoded_values
        self._fcids = lists_by_listener(listeners)
        self.max_rows_in_packet = max(map(len, self._key_lists), default=1)

    def place_of(self, key: int | str) -> tuple[int | None, str]:  # noqa: D102
        if isinstance(key, str):
            return None, key
        return place_of_listener(key, self._key_lists, self._fcids, self.part)

    def set_trace(self, fcid: int, n_samples: int, period: float) -> None:
        """Set length and sampling period of the traces of a listener.

        Parameters
        ----------
        fcid
            id of the listener.
        n_samples
            samples of a trace.
        period
            sampling period in ns.
        """
        values = self.decoded_values.setdefault(fcid, dict(self.decoder.decoded_values))
        values["waveform"] = values["waveform"] | {"wf_len": n_samples, "dt": period}

    def _keys(self, listeners: list[Listener]) -> list[list[int | str]]:
        keys: list[list[int | str]] = []
        for x in listeners:
            keys.append(list(x.keys))
            if x.fsp:
                keys.append([self.fsp_key(x.fcid)])
        return keys

    def get_decoded_values(self, key: int | str | None = None) -> dict[str, Any]:
        """Return the columns of the table for a key; by default of the first table."""
        if isinstance(key, str):
            return super().get_decoded_values(key)
        if key is None:
            first = iter(self.decoded_values.values())
            return next(first, self.decoder.decoded_values)
        return self.decoded_values.get(get_fcid(key), self.decoder.decoded_values)

    def get_max_rows_in_packet(self) -> int:
        """Return the largest number of traces of a listener."""
        return self.max_rows_in_packet


class ORFCIOEventHeaderDecoder(FCIODecoder):
    """Decode event headers: one row each, and one row for the stream processor."""

    variant = records(7)
    part = "evt_hdr"
    decoder_class = FCEventHeaderDecoder
    fsp_class = FSPEventDecoder

    def _keys(self, listeners: list[Listener]) -> list[list[int | str]]:
        return [
            [f"fcid_{x.fcid}/evt_hdr" for x in listeners],
            [self.fsp_key(x.fcid) for x in listeners if x.fsp],
        ]

    @property
    def key_list(self) -> dict[str, list[int | str]]:
        """The keys of the rows: of listeners, and of their stream processors."""
        names = ("fc_eventheader", "fsp_eventheader")
        return dict(zip(names, self._key_lists, strict=False))


class ORFCIOStatusDecoder(FCIODecoder):
    """Decode status records: one row per card, and one row for the stream processor."""

    variant = records(4)
    part = "status"
    decoder_class = FCStatusDecoder
    fsp_class = FSPStatusDecoder

    def _set_values(self, listeners: list[Listener]) -> None:
        super()._set_values(listeners)
        self._fcids = lists_by_listener(listeners)
        self.max_rows_in_packet = max(map(len, self._key_lists), default=1)

    def place_of(self, key: int | str) -> tuple[int | None, str]:  # noqa: D102
        if str(key).startswith("swtid_"):
            return None, str(key)
        return place_of_listener(key, self._key_lists, self._fcids, self.part)

    def _keys(self, listeners: list[Listener]) -> list[list[int | str]]:
        keys: list[list[int | str]] = []
        for x in listeners:
            cards = [0, *(0x2000 + i for i in range(x.n_children))]
            keys.append([f"fcid_{x.fcid}/status/card{i}" for i in cards])
            if x.fsp:
                keys.append([self.fsp_key(x.fcid)])
        return keys

    def get_max_rows_in_packet(self) -> int:
        """Return the largest number of cards of a listener."""
        return self.max_rows_in_packet
