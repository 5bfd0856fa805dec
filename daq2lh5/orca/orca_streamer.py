"""Streamer of ORCA files."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DecodeError
from ..sibling_tables import MAX_SIBLINGS, make_sibling
from . import orca_packet
from ._kernel import OrcaStream
from .decoder_names import ANY_FCIO, DECODERS, FCIO
from .fcio_packets import FcioPackets
from .orca_digitizers import DigitizerDecoder, ORSIS3316WaveformDecoder
from .orca_fcio import ANY_RECORDS, ORFCIOEventDecoder
from .orca_flashcam import (
    ORFlashCamListenerConfigDecoder,
    ORFlashCamWaveformDecoder,
    configuration_of,
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
from .packet_access import PacketAccess
from .record_decoder import RecordDecoder

if TYPE_CHECKING:
    from ..data_decoder import DataDecoder
    from ..raw_buffer import RawBuffer, RawBufferLibrary
    from .orca_base import OrcaDecoder

log = logging.getLogger(__name__)

__all__ = ["DECODERS", "OrcaStreamer"]

HEADER_SLOT = 0
"""Number of the header's decoder in the kernel."""


class OrcaStreamer(PacketAccess, FcioPackets):
    """Decode ORCA files.

    Attributes
    ----------
    header
        the header in force.
    header_decoder
        its decoder.
    """

    format_name = "ORCA"

    def __init__(self) -> None:
        self.header_decoder = OrcaHeaderDecoder()
        super().__init__()

    def start_anew(self) -> None:
        """Forget the last stream."""
        super().start_anew()
        self.header = OrcaHeader()
        self.decoders: dict[str, OrcaDecoder] = {}
        self._missing: set[str] = set()
        self._kernel = OrcaStream()
        self._names: list[str] = []
        self._keyed: dict[str, dict] = {}
        self._n_headers = 0
        self._swapped = False
        self._unknown = (0, 0)
        self._too_wide: tuple[RawBuffer, OrcaDecoder, int] | None = None

    @property
    def n_resyncs(self) -> int:
        """Number of damaged stretches so far: of decoding, or of packets by number."""
        loaded = 0 if self._packets is None else self._packets.n_damage
        return max(self.report.n_damage, loaded)

    @property
    def missing_decoders(self) -> list[int]:
        """Ids of packets, not shifted, that there is no decoder for."""
        names = self.header.get_id_to_decoder_name_dict(shift_data_id=False)
        return [i for i, name in names.items() if name in self._missing]

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
        if ANY_FCIO in names:
            # its records have the tables of the decoders of each kind
            names += FCIO
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
            if name == ANY_FCIO:
                kinds.append(("fcio", ANY_RECORDS))
                continue
            if name not in DECODERS:
                kinds.append(("unknown", 0))
                continue
            if name not in self.decoders:
                module = importlib.import_module(f"{__package__}.{DECODERS[name]}")
                decoder_class = getattr(module, name)
                decoder = decoder_class(extra_columns=self.extra_columns)
                self.decoders[name] = decoder
            decoder = self.decoders[name]
            # of channels that a later header does not have rows may come all the same
            before = decoder.decoded_values
            decoder.set_header(self.header)
            decoder.decoded_values = before | decoder.decoded_values
            shape = (decoder.shape,) if isinstance(decoder, RecordDecoder) else ()
            kinds.append((decoder.kind, decoder.variant, *shape))
        self._missing = {*self._names[1:]} - {*DECODERS, ANY_FCIO}
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
            self._kernel.set_buffers(decoder.variant, keyed, self._siblings.of)
        elif isinstance(decoder, DigitizerDecoder):
            self._kernel.set_channel_buffers(decoder.kind, keyed, self._siblings.of)
            if isinstance(decoder, ORSIS3316WaveformDecoder):
                self._kernel.set_averages(decoder.maw_words)

    # ---- reading -------------------------------------------------------------------

    def _resume(self) -> None:
        """Make room for the trace that waited until the last chunk was handed out."""
        if self._too_wide is not None:
            self._make_room(*self._too_wide)
            self._too_wide = None

    def _look(self, status: int, window: memoryview) -> None:
        """Decode a rare packet, or react to a trace of another length."""
        kernel = self._kernel
        if status == OrcaStream.WIDTH:
            self._other_width()
        elif status == OrcaStream.HEADER:
            start, length = kernel.detail_start, 4 * kernel.detail_words
            packet = np.frombuffer(bytearray(window[start : start + length]), "<u4")
            if not self._is_fcio() and kernel.detail_slot != HEADER_SLOT:
                packet = orca_packet.as_long(packet)
            self._packet(packet)

    def _react(self, status: int) -> bool:
        """End the chunk if a rare packet has filled a buffer."""
        if status == OrcaStream.END:
            for decoder in self.decoders.values():
                decoder.end_stream()
        return self.any_full

    def _is_fcio(self) -> bool:
        """Whether the packet at hand has records of FCIO."""
        name = self._names[self._kernel.detail_slot]
        return name == ANY_FCIO or name in FCIO

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
            if self._is_fcio():
                self._new_stream(packet)
                return
            decoder = self.decoders[name]
            if self._swapped:
                packet[decoder.text_words(packet)].byteswap(inplace=True)
            if isinstance(decoder, ORFlashCamListenerConfigDecoder):
                self._kernel.configure(*configuration_of(decoder.read(packet)))
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

    # ---- lengths of traces ---------------------------------------------------------

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
        wanted = rb, decoder, kernel.detail_samples
        if self._is_settled(rb) and self._too_many_lengths():
            kernel.skip_trace()
            return
        if rb.loc or kernel.any_full:
            # what was read so far is handed out first
            self._too_wide = wanted
            self._flush = self.any_full = True
            return
        kernel.end()
        self._make_room(*wanted)
        kernel.begin()

    def _make_room(self, rb: RawBuffer, decoder: OrcaDecoder, n_samples: int) -> None:
        """Have traces of `n_samples` go to `rb` or a buffer that stands in for it."""
        key = rb.key_list[0]
        if isinstance(decoder, ORFlashCamWaveformDecoder):
            key = get_fcid(key)
        decoder.assert_nsamples(n_samples, key)
        self._fitting(rb, decoder, n_samples)
        self._set_buffers(decoder)

    def _is_settled(self, rb: RawBuffer) -> bool:
        """Whether a buffer has had rows: it is for traces of their length now."""
        if rb not in self._siblings and (rb._used or rb.loc or rb._exposed):
            self._siblings.settle(rb, rb._table.n_samples)
        return rb in self._siblings

    def _too_many_lengths(self) -> bool:
        """Whether there can be no more tables for traces of other lengths."""
        if len(self._siblings) < MAX_SIBLINGS:
            return False
        text = f"more than {MAX_SIBLINGS} lengths of traces: others are skipped"
        if text not in self.report.notes:
            log.warning("%s: %s", self.source.name, text)
            self.report.note(text)
        return True

    def _fitting(
        self, rb: RawBuffer, decoder: OrcaDecoder, n_samples: int
    ) -> RawBuffer | None:
        """Return a buffer for traces of `n_samples`, to be used instead of `rb`.

        That is `rb` itself as long as it has had no rows of another length; None if
        there are too many lengths.
        """
        if rb._table is None:
            # only the user can replace it
            return rb
        tables = self._siblings
        if not self._is_settled(rb):
            # no trace has been read yet: what the header said does not count
            tables.settle(rb, n_samples)
            self._set_up([rb], decoder, self._buffer_size)
            return rb
        sibling = tables.find(rb, n_samples)
        if sibling is None and not self._too_many_lengths():
            sibling = make_sibling(rb, n_samples)
            self._add_sibling(rb, n_samples, sibling, decoder)
            self.report.note(f"traces of {n_samples} samples: {sibling.out_name}")
        return sibling

    # ---- accounting ----------------------------------------------------------------

    def _account(self) -> None:
        """Bring the report up to date with the kernel's counts."""
        report = self.report
        packets = {"decoded": 1, "skipped": 0, "unknown": 0}
        n_bytes = {"decoded": self._header_bytes, "skipped": 0, "unknown": 0}
        for slot, name in enumerate(self._names):
            fates = ("decoded", "skipped")
            if name in self._missing:
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
        self._account_for_decoders()
        if self._kernel.n_wrong_addresses:
            report.note("traces with another card address than the header's were met")
        if self._kernel.n_short:
            report.irregular["packet that lacks padding"] = self._kernel.n_short
        if self._kernel.n_bad_events:
            report.irregular["event of a digitizer that cannot be used"] = (
                self._kernel.n_bad_events
            )
        if self._kernel.n_cut_events:
            report.note("digitizers: packets that end in a part of an event were met")
        if self._kernel.n_corrected:
            report.note("card addresses were corrected by the listeners' trace maps")

    def _account_for_decoders(self) -> None:
        """Report rows that did not come about, or that nobody asked for."""
        for name, decoder in self.decoders.items():
            if decoder.n_incomplete:
                rule = f"{name}: trace that lacks pieces"
                self.report.irregular[rule] = decoder.n_incomplete
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
            self._account_for_channels(decoder)
