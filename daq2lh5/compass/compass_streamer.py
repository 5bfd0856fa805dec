"""Streamer of CoMPASS files."""

from __future__ import annotations

import math
from collections import Counter
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DecodeError
from ..selection.overflow_tables import MAX_OVERFLOW
from ..streaming.kernel_streamer import KernelStreamer
from ._kernel import CompassKernel
from .compass_config_parser import (
    TOO_LARGE,
    find_settings,
    fixed_period_ns,
    number_of,
    read_settings,
    sampling_period_ns,
)
from .compass_event_decoder import (
    CompassEventDecoder,
    compass_decoded_values,
    get_bc,
)
from .compass_header_decoder import HEAD_BYTES, CompassHeaderDecoder
from .layouts import CompassLayout, candidates, has_header, is_allowed
from .run_files import OtherFile, RunFile, find_other_files, first_fitting

if TYPE_CHECKING:
    import lgdo

    from ..data_decoder import DataDecoder
    from ..raw_buffer import RawBuffer, RawBufferLibrary
    from ..reading.source import Source
    from .compass_config_parser import Settings

__all__ = ["CompassStreamer"]

MAX_NOTES = 8
"""Largest number of notes of one kind."""

SURVEY_BYTES = 2**16
"""Smallest number of bytes searched for channels before tables are made."""


class CompassStreamer(KernelStreamer):
    """Decode CoMPASS files.

    Parameters
    ----------
    compass_config_file
        settings file of the run. By default :func:`.find_settings` looks for one beside
        the data.
    compass_layout
        layout of the records of a file without a header, see
        :meth:`.CompassLayout.parse`. By default it is detected from settings and
        records.
    compass_sampling_period
        time between samples, in ns, for boards without one in the settings. By default
        the period of the board's model, from the settings or the name of the file.

    Attributes
    ----------
    compass_config_file, compass_layout, compass_sampling_period
        as above.
    header
        the header, once the stream is open: an :class:`lgdo.Struct`.
    header_decoder, event_decoder
        the decoders.
    event_rbkd
        buffers by key; None if events are not selected.
    buffer
        last record returned by :meth:`load_packet`.
    decoder_id_dict, decoder_name_dict
        kept for compatibility: empty.
    """

    format_name = "Compass"

    def __init__(
        self,
        compass_config_file: str | None = None,
        compass_layout: str | None = None,
        compass_sampling_period: float | None = None,
    ) -> None:
        self.compass_config_file = compass_config_file
        self.compass_layout = compass_layout
        self.compass_sampling_period = compass_sampling_period
        self.header_decoder = CompassHeaderDecoder()
        self.event_decoder = CompassEventDecoder()
        self.decoder_id_dict: dict[int, DataDecoder] = {}
        self.decoder_name_dict: dict[str, DataDecoder] = {}
        super().__init__()

    def start_anew(self) -> None:
        """Forget the last stream."""
        super().start_anew()
        # made once the layout of the records is known
        self._kernel = None
        self.buffer = np.empty(0, "S1")
        self.event_rbkd: dict[int, RawBuffer] | None = None
        self.event_decoder.skipped_channels = {}
        self._settings: Settings | None = None
        self._file = RunFile.of("")
        # keys of the channel of a file without events, for each possible board
        self._own_keys: set[int] = set()
        self._n_notes: Counter[str] = Counter()
        # keys of the channels that the kernel has
        self._known_keys: set[int] = set()

    @property
    def settings_file(self) -> str | None:
        """The settings file that was found beside the data; None without one."""
        if self.compass_config_file is not None or self._settings is None:
            return None
        return self._settings.path

    def get_decoder_list(self) -> list[DataDecoder]:
        """Return the decoders of the header and of the records."""
        return [self.header_decoder, self.event_decoder]

    @property
    def header(self) -> lgdo.Struct | None:  # noqa: D102  (see the class)
        return self.header_decoder.config

    @property
    def in_stream(self) -> Source | None:
        """The open input; None if none is open."""
        return self.source

    # ---- opening -------------------------------------------------------------------

    def open_stream(
        self,
        stream_name: str,
        rb_lib: RawBufferLibrary | None = None,
        buffer_size: int = 8192,
        chunk_mode: str = "any_full",
        out_stream: str = "",
    ) -> list[RawBuffer]:
        """Open a file, and determine the layout of its records.

        Parameters are those of :meth:`.DataStreamer.open_stream`.

        Returns
        -------
        header_data
            the buffer of the header.

        Raises
        ------
        DecodeError
            if the file is empty, the layout of its records cannot be determined, or the
            settings file is invalid.
        ValueError
            if `compass_layout` is invalid, or `compass_sampling_period` is not a
            positive number.
        """
        period = self.compass_sampling_period
        if period is not None and not (
            isinstance(period, Real) and 0 < period < TOO_LARGE
        ):
            msg = f"compass_sampling_period must be a time in ns, got {period!r}"
            raise ValueError(msg)
        layout = None
        if self.compass_layout is not None:
            layout = CompassLayout.parse(self.compass_layout)
        source = self.open_source(stream_name)
        self._settings = self._get_settings(stream_name)
        self._buffer_size = buffer_size
        head = source.fill(SURVEY_BYTES)
        if not has_header(head) and layout is None:
            head = source.fill(HEAD_BYTES)
        self.event_decoder.extra_columns = self.extra_columns
        self._file = RunFile.of(stream_name)
        decoder = self.header_decoder
        other = None
        if source.at_end and len(head) in (0, 2 * has_header(head)):
            other = self._read_empty(bytes(head), layout)
        else:
            self._read_head(head, layout)
        present = bool(decoder.tree["header_present"] == 1)
        if present:
            self._compare_layouts(CompassLayout.from_bits(2, head[0]), layout)
        self._header_bytes = 2 * present
        self._kernel = CompassKernel(decoder.layout)
        self._set_channels(head[self._header_bytes :], source.at_end)
        if source.at_end and len(head) == self._header_bytes:
            self._expect_channel(other)
        del head
        source.consume(self._header_bytes)
        super().open_stream(stream_name, rb_lib, buffer_size, chunk_mode, out_stream)
        self._bind()
        self._account()
        self.n_bytes_read = source.offset
        return self._header_buffers()

    def _read_head(self, head: memoryview, layout: CompassLayout | None) -> None:
        """Determine the layout of the records, if necessary from another file."""
        decoder, source = self.header_decoder, self.source
        try:
            decoder.read_head(head, source.at_end, self._settings, layout, source.name)
        except DecodeError:
            others = find_other_files(self._file)
            other = first_fitting(others, head, source.at_end)
            if other is None:
                raise
            self.report.note(
                f"the layout of the records, {other.layout}, is taken from another "
                f"file of the same run, {other.file.path.name}"
            )
            settings = self._settings
            decoder.read_head(head, source.at_end, settings, other.layout, source.name)

    # ---- files without events ------------------------------------------------------

    def _read_empty(
        self, head: bytes, layout: CompassLayout | None
    ) -> OtherFile | None:
        """Read a file without records; other files of the same run define its columns.

        Returns
        -------
        other
            file of the same run that defines the columns; None without such a file.
        """
        decoder, source, settings = self.header_decoder, self.source, self._settings
        if head:
            layout = CompassLayout.from_bits(2, head[0])
        others = find_other_files(self._file)
        same = [x for x in others if layout in (None, x.layout)]
        other = next((x for x in same if x.board is not None), next(iter(same), None))
        if layout is None and other is not None:
            layout = other.layout
        elif layout is None and settings is not None:
            layout = next((x for x in candidates() if is_allowed(x, settings)), None)
        is_unknown = layout is None and self._file.channel is not None
        if is_unknown:
            layout = CompassLayout.from_bits(2, 0)
        n_samples = math.nan if other is None else other.n_samples
        decoder.read_head(head, True, settings, layout, source.name, n_samples)
        self.report.note("the file has no events: its table is empty")
        if is_unknown:
            decoder.forget_layout()
            self.report.note("the layout of its records is unknown")
        elif other is not None:
            name = other.file.path.name
            self.report.note(f"its columns are from file {name} of the same run")
        return other

    def _expect_channel(self, other: OtherFile | None) -> None:
        """Set the columns for the channel of a file without events."""
        decoder, channel = self.event_decoder, self._file.channel
        if channel is not None and channel <= 0x1FF:
            boards = self._boards_of_file(other)
            self._own_keys = {get_bc(board, channel) for board in boards}
            others = [decoder.n_samples(key) for key in decoder.decoded_values]
            for key in self._own_keys - set(decoder.decoded_values):
                decoder.set_samples(key, others[0] if others else 0)
        layout = self.header_decoder.layout
        unknown = other is None or other.n_samples is None
        if layout.version == 2 and layout.waveforms and unknown:
            decoder.expect_waveforms()

    def _boards_of_file(self, other: OtherFile | None) -> set[int]:
        """Return the possible boards of the channel in the file's name."""
        if other is not None and other.board is not None:
            return {other.board}
        boards = [] if self._settings is None else self._settings.boards
        serials = [board.serial for board in boards]
        own = {i for i, serial in enumerate(serials) if serial == self._file.serial}
        return own or {*range(len(boards))} or {0}

    def final_buffers(self) -> list[RawBuffer]:
        """Return the empty buffers of a file without events, once."""
        if self.report.n_bytes > self._header_bytes or not self.source.at_end:
            return []
        rbs = [rb for rb in self.rb_lib.get("CompassEventDecoder", []) if rb.key_list]
        own = [rb for rb in rbs if self._own_keys.intersection(rb.key_list)]
        return own or rbs

    def _compare_layouts(
        self, header: CompassLayout, given: CompassLayout | None
    ) -> None:
        """Warn of a header word that contradicts the records, or the user's layout."""
        found = self.header_decoder.layout
        if found != header:
            self.report.warn(
                f"the file's header says {header}, but its records have the layout "
                f"{found}: using {found}"
            )
        elif given not in (None, header):
            self.report.warn(
                f"the file's header says {header}, compass_layout says {given}: using "
                f"{header}"
            )

    def _get_settings(self, stream_name: str) -> Settings | None:
        period = self.compass_sampling_period
        if self.compass_config_file is not None:
            return read_settings(self.compass_config_file, period)
        settings = find_settings(stream_name, period)
        if settings is not None:
            self.report.note("using the settings file found beside the data")
        return settings

    def _set_channels(self, head: memoryview, at_end: bool) -> None:
        """Set the decoder's channels from the settings and the first bytes."""
        decoder = self.event_decoder
        period = self.compass_sampling_period
        if period is None:
            period = fixed_period_ns(self._file.model)
        decoder.period_ns = period
        decoder.set_header(self.header_decoder.tree, self._settings)
        lengths: dict[int, int | None] = {}
        boards: dict[int, int | None] = {}
        for (board, channel), met in self._kernel.survey(head, at_end).items():
            n_samples = met.pop() if len(met) == 1 else None
            lengths[get_bc(board, channel)] = n_samples
            boards.setdefault(board, n_samples)
        others = -1
        if self._settings is None:
            others = next(iter(boards.values()), -1)
        # channels without records so far get the length of others of their board
        for key in [*decoder.decoded_values, *lengths]:
            n_samples = lengths.get(key, boards.get(key >> 9, others))
            if n_samples == -1:
                continue
            if key in decoder.decoded_values:
                self._compare(key, decoder.n_samples(key), n_samples)
            decoder.set_samples(key, n_samples)
        for key, n_samples in lengths.items():
            self._add_channel(key, n_samples)

    def _compare(self, key: int, expected: int | None, found: int | None) -> None:
        """Warn if the settings have another length than the records."""
        if self._settings is not None and expected not in (found, 0):
            self._note(
                "lengths in the settings",
                f"board {key >> 9}: the settings say {expected} samples, records have "
                f"{'several lengths' if found is None else found}",
                warn=True,
            )

    def _add_channel(self, key: int, n_samples: int | None) -> None:
        """Add a channel to the kernel."""
        self._known_keys.add(key)
        dt, t0 = self.event_decoder.times_of(key)
        self._kernel.set_channel(key >> 9, key & 0x1FF, n_samples, dt, t0)
        if self._settings is not None:
            self._compare_channel(key)
        if n_samples == 0:
            return
        if math.isnan(dt):
            self._warn_of_period(key)
        elif self.compass_sampling_period is None and math.isnan(
            self.event_decoder.known_period(key >> 9)
        ):
            self.report.note(
                f"dt = {dt:g} ns is the period of the model in the name of the file, "
                f"{self._file.model}"
            )

    def _compare_channel(self, key: int) -> None:
        """Note missing or invalid settings of a channel."""
        number, channel = key >> 9, key & 0x1FF
        boards = self._settings.boards
        if number >= len(boards):
            self._note("boards", f"the settings have no board {number}", warn=True)
            return
        board = boards[number]
        for text in board.notes:
            self._note("settings", f"settings of board {number}: {text}")
        where = f"board {number}, channel {channel}"
        if channel not in board.enabled:
            self._note("channels", f"{where}: not enabled in the settings")
        pre_trigger = board.pre_trigger(channel)
        if pre_trigger is None:
            self.report.note(
                "the settings have no pre-trigger: t0 is 0, times count from the first "
                "sample"
            )
        elif math.isnan(number_of(pre_trigger)):
            text = f"the pre-trigger in the settings, '{pre_trigger}', is not a number"
            self._note("pre-triggers", f"{where}: {text}: t0 is NaN", warn=True)

    def _warn_of_period(self, key: int) -> None:
        """Warn that a board's sampling period is unknown."""
        boards = [] if self._settings is None else self._settings.boards
        model = boards[key >> 9].model if key >> 9 < len(boards) else self._file.model
        problem = "the sampling period is unknown"
        if not math.isnan(sampling_period_ns(model)):
            problem = f"the sampling period of a {model} is adjustable"
        self.report.warn(
            f"{problem}, dt is NaN: give the settings file (compass_config_file) or "
            "the period (compass_sampling_period)"
        )

    def _note(self, kind: str, text: str, warn: bool = False) -> None:
        """Add a note, up to `MAX_NOTES` of each kind."""
        if text in self.report.notes:
            return
        self._n_notes[kind] += 1
        if self._n_notes[kind] > MAX_NOTES:
            text, warn = f"{kind}: more of the kind are not listed", False
        (self.report.warn if warn else self.report.note)(text)

    def _header_buffers(self) -> list[RawBuffer]:
        first = self._header_buffer(self.header_decoder)
        rbs = self.rb_lib.get("CompassHeaderDecoder") or [first]
        for rb in rbs:
            rb.loc = 1
        return list(rbs)

    def close_stream(self) -> None:
        """Close the input."""
        super().close_stream()
        self.source = None

    # ---- buffers -------------------------------------------------------------------

    def _bind(self) -> None:
        """Set the kernel's buffers for all known channels."""
        if "CompassEventDecoder" not in self.rb_lib:
            return
        self.event_rbkd = dict(self.rb_lib["CompassEventDecoder"].get_keyed_dict())
        for key in self._known_keys:
            self._route(key, self.event_decoder.n_samples(key))

    def _route(self, key: int, n_samples: int | None) -> None:
        """Set the kernel's buffer for a channel."""
        if self.event_rbkd is None:
            return
        rb = self.event_rbkd.get(key)
        if rb is not None:
            rb = self.event_rbkd[key] = self._fitting(rb, key, n_samples)
        lists = rb is not None and _samples_of(rb) is None
        self._kernel.set_buffer(key >> 9, key & 0x1FF, rb, lists=lists)

    def _fitting(self, rb: RawBuffer, key: int, n_samples: int | None) -> RawBuffer:
        """Return the buffer for waveforms of a length: `rb` or an overflow table."""
        decoder = self.event_decoder
        # (shapes of rows are numbers of samples; None: any number)
        tables = self._overflow
        first = tables.first(rb)
        if first.table is None or "waveform" not in compass_decoded_values:
            # the caller's own buffer, or no waveform column
            return first
        if first not in tables:
            if _samples_of(first) != n_samples and first.private and not first.loc:
                # the first record for this buffer overrides the expected length
                for other in first.key_list:
                    if other not in self._known_keys:
                        decoder.set_samples(other, n_samples)
                self._set_up([first], decoder, self._buffer_size)
            tables.settle(first, _samples_of(first))
        found = tables.find(first, n_samples)
        if found is not None:
            if found is not first and key not in found.key_list:
                found.key_list.append(key)
            return found
        if n_samples is not None and not tables.has_room(first):
            self.report.warn(
                f"more than {MAX_OVERFLOW} lengths of waveforms: others become lists"
            )
            decoder.set_samples(key, None)
            return self._fitting(first, key, None)
        ending = "lists" if n_samples is None else n_samples
        found = tables.open(first, n_samples, decoder, ending, [key])
        lengths = (
            "of several lengths" if n_samples is None else f"of {n_samples} samples"
        )
        self.report.note(f"waveforms {lengths}: table {found.out_name}")
        return found

    def _new_channel(self) -> None:
        """React to a new channel, or another number of samples."""
        kernel, decoder = self._kernel, self.event_decoder
        key = get_bc(kernel.detail_board, kernel.detail_channel)
        n_samples: int | None = kernel.detail_samples
        if key in self._known_keys and not kernel.detail_is_new:
            where = f"board {key >> 9}, channel {key & 0x1FF}"
            self._note("lengths", f"{where}: waveforms differ in length")
            n_samples = None
        kernel.end()
        if key not in self._known_keys and key in decoder.decoded_values:
            self._compare(key, decoder.n_samples(key), n_samples)
        decoder.set_samples(key, n_samples)
        self._add_channel(key, n_samples)
        if self.event_rbkd is not None and key not in self.event_rbkd:
            self.offer_keys(decoder, self.event_rbkd, self._buffer_size, [key])
        self._route(key, n_samples)
        kernel.begin()

    # ---- reading -------------------------------------------------------------------

    def _react(self, status: int) -> bool:
        """Handle a status of the kernel."""
        kernel = self._kernel
        if status == CompassKernel.FULL:
            self._flush |= kernel.flush
        elif status == CompassKernel.HEADER:
            self._new_channel()
        elif status == CompassKernel.WIDTH:
            msg = (
                f"waveforms of {kernel.detail_samples} samples do not fit their buffer"
            )
            raise ValueError(msg)
        return False

    # ---- records one at a time -----------------------------------------------------

    def set_in_stream(self, stream_name: str) -> None:
        """Open a file at its start without decoding."""
        self.open_source(stream_name)
        self.n_bytes_read = 0

    def load_packet(self) -> np.ndarray | None:
        """Return the next record without decoding it.

        In joined files `header` is the header of the record's file.

        Returns
        -------
        packet
            bytes of the record, of dtype ``S1``; None at the end.

        Raises
        ------
        DecodeError
            if the next bytes are not a complete record.
        RuntimeError
            without an open stream.
        """
        source, kernel = self.source, self._kernel
        if source is None or kernel is None:
            msg = "no stream is open: call open_stream first"
            raise RuntimeError(msg)
        source.fill(1)
        n = -1
        while n < 0:
            n = kernel.next_record(source.window, source.offset, source.at_end)
            if kernel.consumed:
                self._begin_joined(source, kernel.consumed)
            if n < 0:
                source.fill(kernel.need - kernel.consumed)
        if n == 0:
            if not len(source.window):
                return None
            problem = "expected a record, found none or only a part of one"
            raise DecodeError(problem, source.name, source.offset)
        self.buffer = np.frombuffer(bytes(source.window[:n]), "S1")
        source.consume(n)
        kernel.pass_over(n)
        self.n_bytes_read = source.offset
        return self.buffer

    def _begin_joined(self, source: Source, n_bytes: int) -> None:
        """Skip headers, and apply the last one to the following records."""
        layout = CompassLayout.from_bits(2, source.window[n_bytes - 2])
        source.consume(n_bytes)
        self.header_decoder.set_layout(layout, source.window, present=True)

    # ---- accounting ----------------------------------------------------------------

    def _account(self) -> None:
        """Update the report from the kernel's counts."""
        super()._account()
        report, kernel = self.report, self._kernel
        if kernel.joined_at >= 0:
            report.note(
                "there are headers between records, the first at byte "
                f"{kernel.joined_at}: several files were joined"
            )
            for bits in range(16):
                layout = CompassLayout.from_bits(2, bits)
                if kernel.joined_words >> bits & 1 and (
                    layout != self.header_decoder.layout
                ):
                    self.report.warn(f"records of another layout were joined: {layout}")
        if kernel.other_code >= 0:
            report.note(
                f"some waveforms have code {kernel.other_code} instead of 1: they may "
                "not be the input signal"
            )
        self.event_decoder.skipped_channels = kernel.skipped_channels()
        self._account_for_channels(self.event_decoder)


def _samples_of(rb: RawBuffer) -> int | None:
    """Return the samples of a buffer's rows; None if rows differ."""
    if rb.table is None:
        return None if "waveform/values/offsets" in rb.arrays() else 0
    for column in rb.table.fields:
        if column.name == "waveform":
            return None if column.kind == "lists" else column.width
    return 0
