"""Streamer of ORCA files."""

from __future__ import annotations

import importlib
import logging
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from .._core.kernel import FATES
from ..errors import DecodeError, told
from ..fc.fc_base import LONE_FSP
from ..selection.overflow_tables import TOO_MANY_LENGTHS
from . import orca_packet
from ._kernel import OrcaKernel
from .decoder_names import ANY_FCIO, DECODERS, FCIO
from .digitizers.decoder import MAX_NOTES
from .orca_base import KernelDecoder
from .orca_digitizers import DigitizerDecoder
from .orca_fcio import ANY_RECORDS, ORFCIOEventDecoder
from .orca_flashcam import (
    ORFlashCamListenerConfigDecoder,
    ORFlashCamWaveformDecoder,
    cards_of,
    configuration_of,
)
from .orca_header import OrcaHeader
from .orca_header_decoder import (
    HeaderFrame,
    OrcaHeaderDecoder,
    cut_header,
    find_header,
    parse_header_packet,
)
from .packets.access import PacketAccess
from .slow_control.record_decoder import RecordDecoder
from .trace_tables import TraceTables

if TYPE_CHECKING:
    from ..data_decoder import DataDecoder
    from ..raw_buffer import RawBuffer, RawBufferLibrary
    from .orca_base import OrcaDecoder

log = logging.getLogger(__name__)

__all__ = ["DECODERS", "OrcaStreamer"]

HEADER_INDEX = 0
"""Index of the header's decoder in the kernel."""


class OrcaStreamer(PacketAccess, TraceTables):
    """Decode ORCA files.

    Attributes
    ----------
    header
        the current header.
    header_decoder
        its decoder.
    """

    format_name = "ORCA"
    may_bring_more = True

    def __init__(self) -> None:
        self.header_decoder = OrcaHeaderDecoder()
        super().__init__()

    def start_anew(self) -> None:
        """Reset the state of the last stream."""
        super().start_anew()
        self.header = OrcaHeader()
        self.decoders: dict[str, OrcaDecoder] = {}
        self._missing: set[str] = set()
        self._kernel = OrcaKernel()
        self._names: list[str] = []
        self._keyed: dict[str, dict] = {}
        self._announced: dict[str, set] = {}
        self._ended = False
        self._n_headers = 0
        self._swapped = False
        self._unknown = (0, 0)
        # whether a header waits until the rows before it are yielded
        self._header_waits = False
        self._n_unannounced: Counter[str] = Counter()
        # by decoder index, for decoders that share a data id: description of the id,
        # and number of packets counted so far
        self._guessed: dict[int, tuple[str, int]] = {}

    @property
    def n_resyncs(self) -> int:
        """Number of damaged ranges so far, in decoding or in access by number."""
        loaded = 0 if self._packets is None else self._packets.n_damage
        return max(self.report.n_damage, loaded)

    @property
    def missing_decoders(self) -> list[int]:
        """Unshifted ids of packets without a decoder."""
        names = self.header.get_id_to_decoder_name_dict(shift_data_id=False)
        return [i for i, name in names.items() if name in self._missing]

    def get_decoder_list(self) -> list[DataDecoder]:
        """Return the decoders of the file's kinds of packets."""
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

        For parameters see :meth:`.DataStreamer.open_stream`.

        Returns
        -------
        header_data
            the buffer of the header.

        Raises
        ------
        DecodeError
            if the ORCA header is missing or unreadable.
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
        self._set_header(False)
        super().open_stream(stream_name, rb_lib, buffer_size, chunk_mode, out_stream)
        self._bind(False)
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
        if len(packet) < 4 * frame.n_words:
            # the input ends in the zeros behind the text
            raise cut_header(len(packet), frame, source.name)
        self.header_decoder.header, self.header_decoder.text = self.header, text
        return frame

    def _set_header(self, goes_on: bool) -> None:
        """Configure decoders and kernel by the current header.

        Parameters
        ----------
        goes_on
            whether the run continues: then configurations stay valid.
        """
        ids = self.header.get_id_to_decoder_name_dict(shift_data_id=False)
        # (decoders keep their numbers under later headers)
        names = [*self._names, "OrcaHeaderDecoder", *ids.values()]
        if ANY_FCIO in names:
            # its records go to the tables of the decoders of each kind
            names += FCIO
        names = list(dict.fromkeys(names))
        if len(names) > OrcaKernel.MAX_DECODERS:
            msg = (
                f"ORCA header: {len(names)} decoders, expected at most "
                f"{OrcaKernel.MAX_DECODERS}"
            )
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
            decoder.set_header(self.header)
            shape = (decoder.shape,) if isinstance(decoder, RecordDecoder) else ()
            kinds.append((decoder.kind, decoder.variant, *shape))
        self._missing = {*self._names[1:]} - {*DECODERS, ANY_FCIO}
        self._count_guessed()
        self._guessed = {}
        for data_id, decoders in self.header.find_shared_ids().items():
            text = f"data id {data_id:#x} of {' and '.join(decoders)}"
            self.report.warn(f"the header has {text}: read as {decoders[-1]}")
            index = self._names.index(decoders[-1])
            self._guessed[index] = text, sum(self._kernel.counts(index))
        self._kernel.set_ids({i: self._names.index(n) for i, n in ids.items()}, kinds)
        self._kernel.flashcam.set_listeners(cards_of(self.header), goes_on)

    def _bind(self, goes_on: bool) -> None:
        """Set the buffers of the kernels."""
        for name, decoder in self.decoders.items():
            self._keyed[name] = self.buffers_by_key(decoder, self._buffer_size)
            keys = {key for keys in decoder.get_key_lists() for key in keys}
            self._announced[name] = self._announced.get(name, set()) | keys
            if not isinstance(decoder, KernelDecoder):
                continue
            if self._n_headers > 1 and not goes_on:
                self._begin_tables(decoder)
            self._set_buffers(decoder)

    def _offer(
        self, decoder: OrcaDecoder, key: int | str, announced: bool = False
    ) -> None:
        """Find the buffer for rows of a key that the header lacks.

        Parameters
        ----------
        decoder
            the decoder of the rows.
        key
            the key.
        announced
            whether another record announces the key: then no note is written.
        """
        name = type(decoder).__name__
        rb = self._keyed[name].get(key)
        if rb is None:
            rb = self.buffer_for_key(decoder, key, self._buffer_size)
        self._keyed[name][key] = rb
        if rb is None or announced:
            return
        self._n_unannounced[name] += 1
        if self._n_unannounced[name] <= MAX_NOTES:
            text = f"the header does not announce '{key}': table {rb.out_name}"
        else:
            text = "the header does not announce further channels"
        self.report.note(f"{name}: {text}")

    # ---- reading -------------------------------------------------------------------

    def _look(self, status: int, window: memoryview) -> None:
        """Decode a rare packet, or handle a trace of another length."""
        kernel = self._kernel
        if status == OrcaKernel.WIDTH:
            self._other_width()
        elif status == OrcaKernel.KEY:
            self._new_key()
        elif status == OrcaKernel.HEADER:
            start, length = kernel.detail_start, 4 * kernel.detail_words
            packet = np.frombuffer(bytearray(window[start : start + length]), "<u4")
            if not self._is_fcio() and kernel.detail_decoder != HEADER_INDEX:
                packet = orca_packet.as_long(packet)
            self._packet(packet)

    def _react(self, status: int) -> bool:
        """End the batch if a rare packet has filled a buffer."""
        if status == OrcaKernel.END:
            for decoder in self.decoders.values():
                decoder.end_stream()
            self._ended = True
        return self.any_full

    def _is_fcio(self) -> bool:
        """Whether the current packet has FCIO records."""
        name = self._names[self._kernel.detail_decoder]
        return name == ANY_FCIO or name in FCIO

    def _packet(self, packet: np.ndarray) -> None:
        """Decode a rare packet."""
        kernel = self._kernel
        name = self._names[kernel.detail_decoder]
        packet_id = kernel.packet_id + 1
        try:
            if name == "OrcaHeaderDecoder":
                if self._new_header(packet):
                    kernel.pass_over(True)
                return
            if self._is_fcio():
                self._new_stream(packet)
                return
            decoder = self.decoders[name]
            if self._swapped:
                packet[decoder.text_words(packet)].byteswap(inplace=True)
            if isinstance(decoder, ORFlashCamListenerConfigDecoder):
                kernel.flashcam.configure(*configuration_of(decoder.read(packet)))
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

    def _new_header(self, packet: np.ndarray) -> bool:
        """Use a header in mid-file; False if it must wait."""
        if self._swapped:
            # text has no byte order
            packet[2:].byteswap(inplace=True)
        header, _ = parse_header_packet(packet.tobytes(), source=self.source.name)
        before = self.header
        goes_on = header.continues(before)
        rbs = [rb for _, rb in self.rb_lib.buffers()]
        self._kernel.end()
        if not goes_on and not self._header_waits and any(rb.loc for rb in rbs):
            # yield the rows of the previous run first
            self._kernel.begin()
            self._header_waits = self._flush = self.any_full = True
            return False
        self._header_waits = False
        self._account_for_decoders()
        try:
            self.header = header
            self._set_header(goes_on)
            self._start_streams(goes_on)
            if not goes_on:
                self._start_run(rbs)
            self._bind(goes_on)
        except DecodeError:
            self.header = before
            raise
        finally:
            # (also after an error)
            self._kernel.begin()
        self.report.note("the file has more than one header: the first is written")
        return True

    def _new_key(self) -> None:
        """Find a buffer for traces of a channel that the header lacks."""
        kernel = self._kernel
        decoder = self.decoders[self._names[kernel.detail_decoder]]
        key = kernel.detail_key
        decoder.take_on(key, kernel.detail_samples)
        self._offer(decoder, key)
        if key in self._without_table:
            kernel.skip_trace()
            return
        rb = self._keyed[type(decoder).__name__][key]
        if rb is not None and id(rb) in self._written and id(rb) not in self._heads:
            kernel.end()
            self._begin_table(rb, decoder, key)
            self._set_buffers(decoder)
            kernel.begin()
            return
        rb = self._heads.get(id(rb), rb)
        if isinstance(decoder, DigitizerDecoder):
            kernel.give(rb, decoder.period_of(key))
        else:
            kernel.give(rb)

    # ---- accounting ----------------------------------------------------------------

    def _account(self) -> None:
        """Update the report with the kernel's counts."""
        report = self.report
        if self._ended:
            self._ended = False
            self._check_selection(self._announced | {"OrcaHeaderDecoder": {None}})
        super()._account()
        report.packets["decoded"] += 1
        # damaged ranges outside packets have their own counts
        unknown = FATES.index("unknown")
        n_packets = self._kernel.packets[unknown]
        n_bytes = self._kernel.bytes[unknown]
        report.packets["unknown"] += n_packets - self._unknown[0]
        report.bytes["unknown"] += n_bytes - self._unknown[1]
        self._unknown = n_packets, n_bytes
        for index, name in enumerate(self._names):
            if name in self._missing and (n := self._kernel.counts(index)[1]):
                report.unknown_records[told(name)] = n
        self._count_guessed()
        self._account_for_decoders()
        n_lone_fsp = self._n_lone_fsp + sum(
            s.n_lone_fsp for s in self._streams.values()
        )
        if n_lone_fsp:
            report.irregular[LONE_FSP] = n_lone_fsp
        if self._kernel.flashcam.n_wrong_addresses:
            report.note("traces with another card address than the header's were met")
        if self._kernel.n_short:
            report.irregular["packet that lacks padding"] = self._kernel.n_short
        if self._kernel.n_bad_events:
            report.irregular["event of a digitizer that cannot be used"] = (
                self._kernel.n_bad_events
            )
        if self._kernel.n_too_many:
            report.irregular[TOO_MANY_LENGTHS] = self._kernel.n_too_many
        for crate, slot in self._kernel.flashcam.adopted:
            report.note(
                f"FlashCam: the header has no card in crate {crate}, slot {slot}"
            )
        if self._kernel.n_cut_events:
            report.note("digitizers: packets that end in a part of an event were met")
        if self._kernel.flashcam.n_corrected:
            report.note("card addresses were corrected by the listeners' trace maps")

    def _count_guessed(self) -> None:
        """Report packets whose data id the header gives to several decoders.

        This includes packets with the decoder's other ids: counts are by decoder.
        """
        for index, (text, before) in self._guessed.items():
            n_packets = sum(self._kernel.counts(index))
            if n_packets > before:
                self.report.irregular[f"packet with {text}"] += n_packets - before
                self._guessed[index] = text, n_packets

    def _account_for_decoders(self) -> None:
        """Report incomplete traces and unselected traces."""
        for rb in self._overflow.all():
            if self._had_rows(rb):
                n_samples = rb.n_samples
                self.report.note(f"traces of {n_samples} samples: {rb.out_name}")
        for name, decoder in self.decoders.items():
            if decoder.n_incomplete:
                rule = f"{name}: trace that lacks pieces"
                self.report.irregular[rule] = decoder.n_incomplete
            if name not in (self.rb_lib or ()):
                continue
            if isinstance(decoder, DigitizerDecoder):
                decoder.skipped_channels = self._kernel.skipped_channels(
                    decoder.kind, decoder.variant
                )
                if self._kernel.counts(self._names.index(name))[0]:
                    for text in decoder.period_notes():
                        self.report.note(f"{name}: {text}")
            elif isinstance(decoder, ORFCIOEventDecoder):
                for stream in self._streams.values():
                    self._count_unwanted(stream)
            elif isinstance(decoder, ORFlashCamWaveformDecoder):
                skipped = decoder.skipped_channels
                counts = self._kernel.skipped_channels(decoder.kind, decoder.variant)
                for key, n in counts.items():
                    skipped[key] = skipped.get(key, 0) + n
            else:
                continue
            self._account_for_channels(decoder)
