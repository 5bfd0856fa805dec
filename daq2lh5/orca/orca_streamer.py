"""Streamer of ORCA files."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data_streamer import DataStreamer
from ..errors import DecodeError
from ..fc._kernel import FcioStream
from ..raw_buffer import RawBuffer, RawBufferLibrary
from . import orca_packet
from ._kernel import OrcaStream
from .decoder_names import DECODERS
from .orca_digitizers import DigitizerDecoder, ORSIS3316WaveformDecoder
from .orca_fcio import FCIODecoder, ORFCIOEventDecoder
from .orca_flashcam import (
    ORFlashCamListenerConfigDecoder,
    ORFlashCamWaveformDecoder,
    get_fcid,
    listeners_of,
)
from .orca_header import OrcaHeader
from .orca_header_decoder import (
    HeaderFrame,
    OrcaHeaderDecoder,
    find_header,
    parse_header_packet,
)
from .packet_file import PacketFile

if TYPE_CHECKING:
    from typing import BinaryIO

    from ..data_decoder import DataDecoder
    from .orca_base import OrcaDecoder
    from .orca_packet import OrcaPacket

log = logging.getLogger(__name__)

__all__ = ["DECODERS", "OrcaStreamer"]

HEADER_SLOT = 0
"""Number of the header's decoder in the kernel."""

MAX_WIDTHS = 64
"""Tables that may be opened for traces of other lengths."""

CONFIG_TAGS = (-1000000001, -1, -8)
"""What a packet with the configuration of an FCIO stream begins with."""


class OrcaStreamer(DataStreamer):
    """Decode ORCA files.

    Attributes
    ----------
    header
        the header in force.
    header_decoder
        its decoder.
    missing_decoders
        names of the decoders that the file asks for, and that there are not.
    """

    format_name = "ORCA"

    def __init__(self) -> None:
        self.header_decoder = OrcaHeaderDecoder()
        self._packets: PacketFile | None = None
        super().__init__()

    def start_anew(self) -> None:
        """Forget the last stream."""
        super().start_anew()
        self.close_in_stream()
        self.header = OrcaHeader()
        self.decoders: dict[str, OrcaDecoder] = {}
        self.missing_decoders: list[str] = []
        self._kernel = OrcaStream()
        self._names: list[str] = []
        self._streams: dict[int, FcioStream] = {}
        self._keyed: dict[str, dict] = {}
        self._buffer_size = 0
        self._header_bytes = 0
        self._n_headers = 0
        self._swapped = False
        # by buffer: the one that it stands in for, or itself, and its samples a row;
        # by that and other numbers of samples: the buffers that stand in
        self._widths: dict[int, tuple[RawBuffer, int]] = {}
        self._siblings: dict[tuple[int, int], RawBuffer] = {}
        self._unknown = (0, 0)
        self._too_wide: tuple[RawBuffer, OrcaDecoder, int, int] | None = None

    def get_decoder_list(self) -> list[DataDecoder]:
        """Return the decoders of the kinds of packets that the file can have."""
        return [self.header_decoder, *self.decoders.values()]

    # ---- opening -------------------------------------------------------------------

    def open_stream(
        self,
        stream_name: str,
        rb_lib: RawBufferLibrary | None = None,
        buffer_size: int = 8192,
        chunk_mode: str = "any_full",
        out_stream: str = "",
    ) -> list[RawBuffer]:
        """Open an ORCA file, and read its header.

        Parameters are those of :meth:`.DataStreamer.open_stream`.

        Returns
        -------
        header_data
            the buffer of the header.

        Raises
        ------
        DecodeError
            if the input has no ORCA header, or one that cannot be read.
        """
        source = self.open_source(stream_name)
        self._buffer_size = buffer_size
        frame = self._read_header()
        self._header_bytes = 4 * frame.n_words
        source.consume(self._header_bytes)
        self._swapped = frame.byte_order == "big"
        if self._swapped:
            source.swap_words()
            self._kernel.set_swapped()
            self.report.note("the words of the file are big-endian, as PowerPCs write")
        self._set_header()
        super().open_stream(stream_name, rb_lib, buffer_size, chunk_mode, out_stream)
        self._bind()
        self._account()
        self.n_bytes_read = source.offset
        header_data = []
        for rb in self.rb_lib.get("OrcaHeaderDecoder", ()):
            rb.loc = 1
            header_data.append(rb)
        return header_data

    def close_stream(self) -> None:
        """Close the input."""
        self.close_in_stream()
        if self.source is not None:
            self.source.close()

    def _read_header(self) -> HeaderFrame:
        """Read the header at the start of the input."""
        source = self.source
        frame = find_header(source.fill(16)[:16])
        n_bytes = 16 if frame is None else 4 * frame.n_words
        if source.size is not None:
            n_bytes = min(n_bytes, source.size)
        packet = source.fill(n_bytes)[:n_bytes]
        self.header, text = parse_header_packet(packet, source=source.name)
        self.header_decoder.header, self.header_decoder._json = self.header, text
        return frame

    def _set_header(self) -> None:
        """Tell the decoders and the kernel what the header in force says."""
        ids = self.header.get_id_to_decoder_name_dict(shift_data_id=False)
        # numbers of decoders stay, whatever a later header has
        names = [*self._names, "OrcaHeaderDecoder", *ids.values()]
        names = list(dict.fromkeys(names))
        if len(names) > OrcaStream.MAX_DECODERS:
            msg = f"ORCA header: more than {OrcaStream.MAX_DECODERS} decoders"
            raise DecodeError(msg, self.source.name)
        self._names = names
        self._n_headers += 1
        kinds = []
        for name in self._names:
            if name == "OrcaHeaderDecoder":
                kinds.append(("header", 0))
                continue
            if name not in DECODERS:
                kinds.append(("unknown", 0))
                continue
            if name not in self.decoders:
                module = importlib.import_module(f"{__package__}.{DECODERS[name]}")
                self.decoders[name] = getattr(module, name)()
            decoder = self.decoders[name]
            # of channels that a later header does not have rows may come all the same
            before = decoder.decoded_values
            decoder.set_header(self.header)
            decoder.decoded_values = before | decoder.decoded_values
            kinds.append((decoder.kind, decoder.variant))
        self.missing_decoders = [n for n in self._names[1:] if n not in DECODERS]
        self._kernel.set_ids({i: self._names.index(n) for i, n in ids.items()}, kinds)
        self._kernel.set_listeners(
            [(x.fcid, len(x.keys), x.cards) for x in listeners_of(self.header)]
        )

    def _bind(self) -> None:
        """Tell the kernels which buffers take what."""
        for name, decoder in self.decoders.items():
            if name not in self.rb_lib:
                continue
            if name not in self._keyed:
                self._keyed[name] = dict(self.rb_lib[name].get_keyed_dict())
            self.offer_keys(decoder, self._keyed[name], self._buffer_size)
            self._set_buffers(decoder)
        for stream_id, stream in self._streams.items():
            self._bind_stream(stream_id, stream)

    def _set_buffers(self, decoder: OrcaDecoder) -> None:
        keyed = self._keyed[type(decoder).__name__]
        if isinstance(decoder, ORFlashCamWaveformDecoder):
            self._kernel.set_buffers(decoder.variant, keyed)
        elif isinstance(decoder, DigitizerDecoder):
            self._kernel.set_channel_buffers(decoder.kind, keyed)
            if isinstance(decoder, ORSIS3316WaveformDecoder):
                self._kernel.set_averages(decoder.maw_words)

    def _bind_stream(self, stream_id: int, stream: FcioStream) -> None:
        keyed: dict[str, dict] = {}
        for name, decoder in self.decoders.items():
            if isinstance(decoder, FCIODecoder) and name in self._keyed:
                wanted = decoder.keyed(self._keyed[name], stream_id & 0xFFFF)
                for table, buffers in wanted.items():
                    keyed[table] = keyed.get(table, {}) | buffers
        if stream.configured:
            stream.set_buffers(keyed)

    # ---- reading -------------------------------------------------------------------

    def read_packet(self) -> bool:
        """Decode one packet."""
        return self.read_packets(1)

    def read_packets(self, limit: int) -> bool:
        """Decode up to `limit` packets, see :meth:`.DataStreamer.read_packets`."""
        if self._too_wide is not None:
            self._make_room(*self._too_wide)
            self._too_wide = None
        kernel = self._kernel
        kernel.rows_left = -1 if self.rows_left is None else self.rows_left
        more = True
        done = 0
        kernel.begin()
        try:
            while done < limit:
                status = self._decode(limit - done)
                done += kernel.n_packets
                if status == OrcaStream.FULL:
                    self.any_full = True
                    break
                if status == OrcaStream.END or kernel.rows_left == 0:
                    more = False
                    break
                if self.any_full:
                    break
        finally:
            kernel.end()
            self._account()
        if self.rows_left is not None:
            self.rows_left = kernel.rows_left
        self.packet_id = kernel.packet_id
        self.n_bytes_read = self.source.offset
        return more

    def _decode(self, limit: int) -> int:
        """Run the kernel over the bytes at hand, and do what it leaves to Python."""
        source, kernel = self.source, self._kernel
        window = source.window
        left = None if source.size is None else source.size - source.offset
        if left is not None and left < len(window):
            # the file has grown since it was opened
            left = None
        base = source.offset
        status = kernel.decode(window, base, left, source.at_end, limit)
        if status in (OrcaStream.HEADER, OrcaStream.WIDTH):
            start, length = kernel.detail_start, 4 * kernel.detail_words
            packet = np.frombuffer(bytearray(window[start : start + length]), "<u4")
            fcio = isinstance(
                self.decoders.get(self._names[kernel.detail_slot]), FCIODecoder
            )
            if not fcio and kernel.detail_slot != HEADER_SLOT:
                packet = orca_packet.as_long(packet)
            if status == OrcaStream.WIDTH:
                self._other_width()
            else:
                self._packet(packet)
        if status == OrcaStream.SKIPPED or kernel.scanning:
            self._keep_stretch(window, status == OrcaStream.SKIPPED)
        del window
        source.consume(kernel.consumed)
        if status == OrcaStream.MORE:
            source.fill(kernel.need - kernel.consumed)
        return status

    def _packet(self, packet: np.ndarray) -> None:
        """Decode a rare packet."""
        kernel = self._kernel
        name = self._names[kernel.detail_slot]
        packet_id = kernel.packet_id + 1
        try:
            if name == "OrcaHeaderDecoder":
                self._new_header(packet)
                kernel.pass_over(True)
                return
            decoder = self.decoders[name]
            if isinstance(decoder, FCIODecoder):
                self._new_stream(packet)
                return
            if isinstance(decoder, ORFlashCamListenerConfigDecoder):
                self._configure(decoder.read(packet))
            rbs = self.rb_lib.get(name)
            if not rbs:
                kernel.pass_over(False)
                return
            if rbs[0].is_full():
                self.any_full = True
                return
            n_before = rbs[0].loc
            self.any_full |= decoder.decode_packet(packet, packet_id, rbs)
        except (ValueError, DecodeError) as e:
            kernel.reject(str(e))
            return
        kernel.pass_over(True)
        if kernel.rows_left > 0:
            kernel.rows_left -= rbs[0].loc - n_before

    # ---- packets one at a time -----------------------------------------------------

    def set_in_stream(self, stream_name: str) -> None:
        """Open a file for :meth:`load_packet`, at its first packet."""
        self.close_in_stream()
        self._packets = PacketFile(stream_name)
        self.packet_id = -1

    def close_in_stream(self) -> None:
        """Close the file of :meth:`load_packet`."""
        if self._packets is not None:
            self._packets.close()
        self._packets = None

    @property
    def in_stream(self) -> BinaryIO | None:
        """The open file of :meth:`load_packet`."""
        return None if self._packets is None else self._packets.stream

    @property
    def packet_locs(self) -> list[int]:
        """Offsets of the packets that were looked at so far."""
        return [] if self._packets is None else self._packets.locations

    @property
    def valid_ids(self) -> set[int]:
        """Ids of the packets that the file can have, not shifted."""
        return set(self.header.get_id_to_decoder_name_dict(shift_data_id=False)) - {0}

    @property
    def decoder_id_dict(self) -> dict[int, OrcaDecoder]:
        """The decoders by id, not shifted."""
        names = self.header.get_id_to_decoder_name_dict(shift_data_id=False)
        decoders = {type(d).__name__: d for d in self.get_decoder_list()}
        return {i: decoders[name] for i, name in names.items() if name in decoders}

    @property
    def rbl_id_dict(self) -> dict[int, list[RawBuffer]]:
        """The buffers by id of their packets, not shifted."""
        decoders = self.decoder_id_dict
        library = self.rb_lib or {}
        by_name = {i: type(d).__name__ for i, d in decoders.items()}
        return {i: library[name] for i, name in by_name.items() if name in library}

    def _packet_file(self) -> PacketFile:
        if self._packets is None:
            if self.source is None or not self.source.name:
                msg = "no file is open"
                raise RuntimeError(msg)
            self._packets = PacketFile(self.source.name)
        return self._packets

    def load_packet(
        self,
        index: int | None = None,
        whence: int = 0,
        skip_unknown_ids: bool = False,
    ) -> OrcaPacket | None:
        """Return a packet of the file, without decoding it.

        Parameters
        ----------
        index
            its number, see `whence`; by default the one after the last.
        whence
            0: from the start of the file; 1: 1 is the packet that was last looked at;
            2: 1 is the last packet of the file.
        skip_unknown_ids
            return no more than the first words of packets that no decoder is for.

        Returns
        -------
        packet
            its words; None if there is no such packet.

        Raises
        ------
        ValueError
            for another `whence`.
        """
        packets = self._packet_file()
        if whence not in (0, 1, 2):
            msg = f"whence is 0, 1 or 2, not {whence}"
            raise ValueError(msg)
        if index is None:
            index = self.packet_id + 1
        elif whence == 1:
            index += self.packet_id - 1
        elif whence == 2:
            index += packets.count() - 2
        if index < 0:
            self.packet_id = -1
            return None
        if not packets.find(index):
            return None
        self.packet_id = index
        if skip_unknown_ids and packets.data_id(index) not in self.decoder_id_dict:
            return packets.head(index)
        return packets.packet(index)

    def load_packet_header(self) -> OrcaPacket | None:
        """Return the first words of the next packet: two if it is extended."""
        head = self._packet_file().head(self.packet_id + 1)
        if head is not None:
            self.packet_id += 1
        return head

    def skip_packet(self, n: int = 1) -> bool:
        """Go on behind the next `n` packets; false if there are fewer."""
        if not self._packet_file().find(self.packet_id + n):
            return False
        self.packet_id += n
        return True

    def build_packet_locs(self, saveloc: bool = True) -> None:  # noqa: ARG002
        """Find all packets; `saveloc` is kept for compatibility."""
        self._packet_file().count()

    def count_packets(self, saveloc: bool = True) -> int:  # noqa: ARG002
        """Return the number of packets in the file; one cut off does not count.

        `saveloc` is kept for compatibility.
        """
        return self._packet_file().count()

    @staticmethod
    def is_orca_stream(stream_name: str) -> bool:
        """Whether a file is of ORCA, by its first bytes."""
        packets = PacketFile(stream_name)
        packets.close()
        return packets.frame is not None

    def hex_dump(
        self,
        stream_name: str,
        n_packets: float = np.inf,
        skip_header: bool = False,
        shift_data_id: bool = True,
        print_n_words: bool = False,
        max_words: float = np.inf,
        as_int: bool = False,
        as_short: bool = False,
    ) -> None:
        """Show the packets of a file, see :func:`.orca_packet.hex_dump`.

        Parameters
        ----------
        stream_name
            name of the file.
        n_packets
            how many packets to show.
        skip_header
            begin with the packet after the header.
        shift_data_id, print_n_words, max_words, as_int, as_short
            see there.
        """
        self.set_in_stream(stream_name)
        if skip_header:
            self.skip_packet()
        while n_packets > 0 and (packet := self.load_packet()) is not None:
            orca_packet.hex_dump(
                packet,
                shift_data_id=shift_data_id,
                print_n_words=print_n_words,
                max_words=max_words,
                as_int=as_int,
                as_short=as_short,
            )
            n_packets -= 1
        self.close_in_stream()

    # ---- headers and configurations in mid-file ------------------------------------

    def _new_header(self, packet: np.ndarray) -> None:
        """Use a header in mid-file from now on."""
        if self._swapped:
            # the text was in order
            packet[2:].byteswap(inplace=True)
        header, _ = parse_header_packet(packet.tobytes(), source=self.source.name)
        before = self.header
        self._kernel.end()
        try:
            self.header = header
            self._set_header()
            self._bind()
        except DecodeError:
            self.header = before
            raise
        finally:
            # the kernel goes on in any case
            self._kernel.begin()
        self.report.note("the file has more than one header: the first is written")

    def _configure(self, settings: dict[str, Any]) -> None:
        """Use the configuration that a listener of the first generation has sent."""
        period = 4 if settings["adcbits"] == 12 else 16
        boards, inputs = settings["ch_board_id"], settings["ch_inputnum"]
        trace_map = boards.astype(np.uint32) << 16 | inputs
        self._kernel.configure(settings["fcid"], settings["gps"], period, trace_map)

    def _new_stream(self, packet: np.ndarray) -> None:
        """React to a configuration, or to a packet of a stream without one."""
        kernel = self._kernel
        payload = packet[2:] if packet[0] & 0x3FFFF == 0 else packet[1:]
        stream_id = int(payload[0])
        stream = self._streams.get(stream_id)
        if stream is None:
            if payload[1:2].view("<i4")[0] not in CONFIG_TAGS:
                kernel.reject("FCIO record before the configuration of its stream")
                return
            stream = self._streams[stream_id] = FcioStream(stream_id & 0xFFFF)
            kernel.add_stream(stream_id, stream)
            return
        # a configuration was read: the kernel goes on behind it
        kernel.end()
        try:
            self._configure_stream(stream_id, stream)
        finally:
            # the kernel goes on in any case
            kernel.begin()

    def _configure_stream(self, stream_id: int, stream: FcioStream) -> None:
        """Use the configuration that a stream has read."""
        if stream.fsp:
            self._add_stream_processor(stream_id & 0xFFFF)
        decoder = self.decoders.get("ORFCIOConfigDecoder")
        buffers = self._keyed.get("ORFCIOConfigDecoder", {})
        if decoder is not None:
            packet_id = self._kernel.packet_id + 1
            self.any_full |= decoder.append_rows(stream, buffers, packet_id)
        self._fit_events(stream_id & 0xFFFF, stream.config)
        self._fit_status(stream_id & 0xFFFF, stream.keys()["FCStatus"])
        self._bind_stream(stream_id, stream)

    def _add_stream_processor(self, fcid: int) -> None:
        """Make tables for rows that the header does not tell of (4.4)."""
        for name, keyed in self._keyed.items():
            decoder = self.decoders[name]
            if isinstance(decoder, FCIODecoder):
                decoder.add_stream_processor(fcid)
                key = decoder.fsp_key(fcid)
                self.offer_table(decoder, key, keyed, self._buffer_size)

    # ---- lengths of traces ---------------------------------------------------------

    def _fit_events(self, fcid: int, config: Any) -> None:
        """Make the event buffers of a listener fit its configuration."""
        decoder = self.decoders.get("ORFCIOEventDecoder")
        if not isinstance(decoder, ORFCIOEventDecoder):
            return
        decoder.set_trace(fcid, config.eventsamples, config.sampling_period_ns)
        keyed = self._keyed.get("ORFCIOEventDecoder", {})
        fitted: dict[int, RawBuffer] = {}
        for key in [k for k in keyed if isinstance(k, int)]:
            rb = keyed[key]
            if key // 1000000 != fcid:
                continue
            if id(rb) not in fitted:
                fitted[id(rb)] = self._fitting(rb, decoder, config.eventsamples)
            keyed[key] = fitted[id(rb)]

    def _fit_status(self, fcid: int, keys: list[str]) -> None:
        """Give cards that the header does not tell of to who wants all of them."""
        keyed = self._keyed.get("ORFCIOStatusDecoder", {})
        rb = keyed.get(f"fcid_{fcid}/status/card0")
        for wanted, _ in self._patterns.get("ORFCIOStatusDecoder", ()):
            if wanted is rb:
                for key in keys:
                    keyed.setdefault(key, rb)

    def _other_width(self) -> None:
        """React to a trace of another length than those of its buffer."""
        kernel = self._kernel
        name = self._names[kernel.detail_slot]
        rb = kernel.detail_buffer
        decoder = self.decoders[name]
        if rb._table is None:
            msg = (
                f"the rows of buffer '{rb.out_name}' are not for traces of "
                f"{kernel.detail_samples} samples"
            )
            raise ValueError(msg)
        wanted = rb, decoder, kernel.detail_key, kernel.detail_samples
        if rb.loc or kernel.any_full:
            # what was read so far is handed out first
            self._too_wide = wanted
            self._flush = self.any_full = True
            return
        kernel.end()
        self._make_room(*wanted)
        kernel.begin()

    def _make_room(
        self, rb: RawBuffer, decoder: OrcaDecoder, channel: int, n_samples: int
    ) -> None:
        """Have traces of `n_samples` go to a buffer for such.

        Those of a FlashCam listener all have the same length; of a digitizer only
        those of the channel with the key `channel` go elsewhere.
        """
        key = rb.key_list[0]
        keyed = self._keyed[type(decoder).__name__]
        channels = [channel]
        if isinstance(decoder, ORFlashCamWaveformDecoder):
            key = get_fcid(key)
            channels = [k for k, buffer in keyed.items() if buffer is rb]
        decoder.assert_nsamples(n_samples, key)
        try:
            other = self._fitting(rb, decoder, n_samples)
        except DecodeError:
            if not isinstance(decoder, DigitizerDecoder):
                raise
            # one event is no reason to give up the rest
            self._kernel.drop_event()
            return
        if other is not rb:
            keyed |= dict.fromkeys(channels, other)
        self._set_buffers(decoder)

    def _fitting(
        self, rb: RawBuffer, decoder: OrcaDecoder, n_samples: int
    ) -> RawBuffer:
        """Return a buffer for traces of `n_samples`, to be used instead of `rb`.

        That is `rb` itself as long as it has had no rows of another length.
        """
        if rb._table is None:
            # only the user can replace it
            return rb
        if id(rb) not in self._widths and (rb._used or rb.loc or rb._exposed):
            self._widths[id(rb)] = rb, rb._table.n_samples
        if id(rb) not in self._widths:
            # no trace has been read yet: what the header said does not count
            self._widths[id(rb)] = rb, n_samples
            self._set_up([rb], decoder, self._buffer_size)
            return rb
        first, _ = self._widths[id(rb)]
        if self._widths[id(first)][1] == n_samples:
            return first
        if (id(first), n_samples) not in self._siblings:
            if len(self._siblings) >= MAX_WIDTHS:
                msg = f"more than {MAX_WIDTHS} lengths of traces"
                raise DecodeError(msg, self.source.name)
            sibling = RawBuffer(
                key_list=first.key_list,
                out_stream=first.out_stream,
                out_name=f"{first.out_name}_{n_samples}",
                proc_spec=first.proc_spec,
            )
            self.rb_lib[type(decoder).__name__].append(sibling)
            self._set_up([sibling], decoder, self._buffer_size)
            self._siblings[id(first), n_samples] = sibling
            self._widths[id(sibling)] = first, n_samples
            self.report.note(f"traces of {n_samples} samples: {sibling.out_name}")
        return self._siblings[id(first), n_samples]

    # ---- accounting ----------------------------------------------------------------

    def _keep_stretch(self, window: memoryview, over: bool) -> None:
        """Hold on to the bytes of a stretch; account for it when it is over."""
        kernel = self._kernel
        start, end, fate, reason = kernel.stretch
        first = max(start - self.source.offset, 0)
        self.hold_stretch(window[first : max(kernel.consumed, first)])
        if not over:
            return
        if fate == "unknown":
            self.report.unknown_records[reason] += 1
        code, packet_id = kernel.stretch_reason, kernel.packet_id
        self.end_stretch(start, end, fate, reason, code, packet_id)

    def _account(self) -> None:
        """Bring the report up to date with the kernel's counts."""
        report = self.report
        packets = {"decoded": 1, "skipped": 0, "unknown": 0}
        n_bytes = {"decoded": self._header_bytes, "skipped": 0, "unknown": 0}
        for slot, name in enumerate(self._names):
            fates = ("decoded", "skipped")
            if slot and name not in DECODERS:
                fates = ("decoded", "unknown")
            for i, fate in enumerate(fates):
                packets[fate] += self._kernel.counts(slot)[0][i]
                n_bytes[fate] += self._kernel.counts(slot)[1][i]
            if fates[1] == "unknown" and self._kernel.counts(slot)[0][1]:
                report.unknown_records[name] = self._kernel.counts(slot)[0][1]
        for fate in ("decoded", "skipped"):
            report.packets[fate] = packets[fate]
            report.bytes[fate] = n_bytes[fate]
        # stretches that are no packets are counted by themselves
        report.packets["unknown"] += packets["unknown"] - self._unknown[0]
        report.bytes["unknown"] += n_bytes["unknown"] - self._unknown[1]
        self._unknown = packets["unknown"], n_bytes["unknown"]
        self.account_for_source()
        self._account_for_channels()
        if self._kernel.n_wrong_addresses:
            report.note("traces with another card address than the header's were met")
        if self._kernel.n_bad_events:
            report.irregular["event of a digitizer that cannot be used"] = (
                self._kernel.n_bad_events
            )
        if self._kernel.n_cut_events:
            report.note("digitizers: packets that end in a part of an event were met")
        if self._kernel.n_corrected:
            report.note("card addresses were corrected by the listeners' trace maps")

    def _account_for_channels(self) -> None:
        """Report rows of channels that nobody asked for."""
        for name, decoder in self.decoders.items():
            if name not in (self.rb_lib or ()):
                continue
            if isinstance(decoder, (ORFlashCamWaveformDecoder, DigitizerDecoder)):
                skipped = self._kernel.skipped_channels(decoder.kind, decoder.variant)
            elif isinstance(decoder, ORFCIOEventDecoder):
                skipped = decoder.skipped_channels
                for stream in self._streams.values():
                    for key, n in stream.skipped_channels().items():
                        skipped[key] = skipped.get(key, 0) + n
            else:
                continue
            decoder.skipped_channels = skipped
            if skipped:
                counts = {str(key): n for key, n in skipped.items()}
                self.report.skipped_channels[name] = counts
