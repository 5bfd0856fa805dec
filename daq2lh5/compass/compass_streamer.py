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
from .run_files import RunFile, Sibling, fitting, siblings

if TYPE_CHECKING:
    import lgdo

    from ..data_decoder import DataDecoder
    from ..raw_buffer import RawBuffer, RawBufferLibrary
    from ..reading.source import Source
    from .compass_config_parser import Settings

__all__ = ["CompassStreamer"]

MAX_TOLD = 8
"""Largest number of notes of a kind."""

SURVEY_BYTES = 2**16
"""Bytes, at least, in which channels are looked for before tables are made."""


class CompassStreamer(KernelStreamer):
    """Decode CoMPASS files.

    Parameters
    ----------
    compass_config_file
        settings file of the run. By default one beside the data is looked for, see
        :func:`.find_settings`.
    compass_layout
        what records of a file without a header have, see :meth:`.CompassLayout.parse`.
        By default the settings and the records tell.
    compass_sampling_period
        time between samples, in ns, of boards for which the settings have none. By
        default that of the board's model, from the settings or the name of the file.

    Attributes
    ----------
    compass_config_file, compass_layout, compass_sampling_period
        as above.
    header
        the header, once the stream is open: an :class:`lgdo.Struct`.
    header_decoder, event_decoder
        the decoders.
    event_rbkd
        the buffers by key; None if nobody asks for events.
    buffer
        the last packet that :meth:`load_packet` returned.
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
        # until the layout of the records is known
        self._kernel = None
        self.buffer = np.empty(0, "S1")
        self.event_rbkd: dict[int, RawBuffer] | None = None
        self.event_decoder.skipped_channels = {}
        self._settings: Settings | None = None
        self._file = RunFile.of("")
        # key of the channel of an empty file; None if unknown
        self._own_keys: set[int] = set()
        self._told: Counter[str] = Counter()
        # keys of channels that the kernel knows
        self._met: set[int] = set()

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
        """Open a file, and find out what its records have.

        Parameters are those of :meth:`.DataStreamer.open_stream`.

        Returns
        -------
        header_data
            the buffer of the header.

        Raises
        ------
        DecodeError
            if the file is empty, the layout of its records is not to be found, or the
            settings file is none.
        ValueError
            if `compass_layout` is none, or `compass_sampling_period` no positive
            number.
        """
        period = self.compass_sampling_period
        if period is not None and not (
            isinstance(period, Real) and 0 < period < TOO_LARGE
        ):
            msg = f"compass_sampling_period is {period!r}: give the time in ns"
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
        sibling = None
        if source.at_end and len(head) in (0, 2 * has_header(head)):
            sibling = self._read_empty(bytes(head), layout)
        else:
            self._read_head(head, layout)
        present = bool(decoder.tree["header_present"] == 1)
        if present:
            self._compare_layouts(CompassLayout.from_bits(2, head[0]), layout)
        self._header_bytes = 2 * present
        self._kernel = CompassKernel(decoder.layout)
        self._set_channels(head[self._header_bytes :], source.at_end)
        if source.at_end and len(head) == self._header_bytes:
            self._expect_channel(sibling)
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
            other = fitting(siblings(self._file), head, source.at_end)
            if other is None:
                raise
            self.report.note(
                f"the layout of the records, {other.layout}, is that of another file "
                f"of the run, {other.file.path.name}"
            )
            settings = self._settings
            decoder.read_head(head, source.at_end, settings, other.layout, source.name)

    # ---- files without events ------------------------------------------------------

    def _read_empty(self, head: bytes, layout: CompassLayout | None) -> Sibling | None:
        """Read a file without records; the run's other files give its columns.

        Returns
        -------
        sibling
            the file of the run that gives the columns; None without such a file.
        """
        decoder, source, settings = self.header_decoder, self.source, self._settings
        if head:
            layout = CompassLayout.from_bits(2, head[0])
        same = [x for x in siblings(self._file) if layout in (None, x.layout)]
        sibling = next((x for x in same if x.board is not None), next(iter(same), None))
        if layout is None and sibling is not None:
            layout = sibling.layout
        elif layout is None and settings is not None:
            layout = next((x for x in candidates() if is_allowed(x, settings)), None)
        nothing_known = layout is None and self._file.channel is not None
        if nothing_known:
            layout = CompassLayout.from_bits(2, 0)
        n_samples = math.nan if sibling is None else sibling.n_samples
        decoder.read_head(head, True, settings, layout, source.name, n_samples)
        self.report.note("the file has no events: its table is empty")
        if nothing_known:
            decoder.forget_layout()
            self.report.note("the layout of its records is unknown")
        elif sibling is not None:
            name = sibling.file.path.name
            self.report.note(f"its columns are those of another file, {name}")
        return sibling

    def _expect_channel(self, sibling: Sibling | None) -> None:
        """Set the columns for the channel of a file without events."""
        decoder, channel = self.event_decoder, self._file.channel
        if channel is not None and channel <= 0x1FF:
            boards = self._boards_of_file(sibling)
            self._own_keys = {get_bc(board, channel) for board in boards}
            others = [decoder.n_samples(key) for key in decoder.decoded_values]
            for key in self._own_keys - set(decoder.decoded_values):
                decoder.set_samples(key, others[0] if others else 0)
        layout = self.header_decoder.layout
        unknown = sibling is None or sibling.n_samples is None
        if layout.version == 2 and layout.waveforms and unknown:
            decoder.expect_waveforms()

    def _boards_of_file(self, sibling: Sibling | None) -> set[int]:
        """Return the boards that may have the channel in the file's name."""
        if sibling is not None and sibling.board is not None:
            return {sibling.board}
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
        """Warn of a header word that is not what the user says, or the records."""
        found = self.header_decoder.layout
        if found != header:
            self.report.warn(
                f"the file's header says {header}, but its records are laid out as "
                f"{found}: these count"
            )
        elif given not in (None, header):
            self.report.warn(f"the file's header says {header}, not {given}: it counts")

    def _get_settings(self, stream_name: str) -> Settings | None:
        period = self.compass_sampling_period
        if self.compass_config_file is not None:
            return read_settings(self.compass_config_file, period)
        settings = find_settings(stream_name, period)
        if settings is not None:
            self.report.note("settings found beside the data are used")
        return settings

    def _set_channels(self, head: memoryview, at_end: bool) -> None:
        """Tell the decoder of the channels in the settings and in the first bytes."""
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
        # channels that were not seen have as many samples as others of their board
        for key in [*decoder.decoded_values, *lengths]:
            n_samples = lengths.get(key, boards.get(key >> 9, others))
            if n_samples == -1:
                continue
            if key in decoder.decoded_values:
                self._compare(key, decoder.n_samples(key), n_samples)
            decoder.set_samples(key, n_samples)
        for key, n_samples in lengths.items():
            self._meet(key, n_samples)

    def _compare(self, key: int, said: int | None, found: int | None) -> None:
        """Warn of settings that are not the run's."""
        if self._settings is not None and said not in (found, 0):
            self._tell(
                "lengths in the settings",
                f"board {key >> 9}: the settings say {said} samples, the records have "
                f"{'several lengths' if found is None else found}",
                warn=True,
            )

    def _meet(self, key: int, n_samples: int | None) -> None:
        """Tell the kernel of a channel."""
        self._met.add(key)
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
                f"dt, {dt:g} ns, is that of the model in the name of the file: "
                f"{self._file.model}"
            )

    def _compare_channel(self, key: int) -> None:
        """Report the settings that a channel lacks."""
        number, channel = key >> 9, key & 0x1FF
        boards = self._settings.boards
        if number >= len(boards):
            self._tell("boards", f"the settings have no board {number}", warn=True)
            return
        board = boards[number]
        for text in board.notes:
            self._tell("settings", f"settings of board {number}: {text}")
        where = f"board {number}, channel {channel}"
        if channel not in board.enabled:
            self._tell("channels", f"{where}: not enabled in the settings")
        pre_trigger = board.pre_trigger(channel)
        if pre_trigger is None:
            self.report.note(
                "the settings have no pre-trigger: t0 is 0, times count from the first "
                "sample"
            )
        elif math.isnan(number_of(pre_trigger)):
            text = f"the pre-trigger in the settings, '{pre_trigger}', is no number"
            self._tell("pre-triggers", f"{where}: {text}: t0 is NaN", warn=True)

    def _warn_of_period(self, key: int) -> None:
        """Warn that a board's sampling period is unknown."""
        boards = [] if self._settings is None else self._settings.boards
        model = boards[key >> 9].model if key >> 9 < len(boards) else self._file.model
        what = "the sampling period is unknown"
        if not math.isnan(sampling_period_ns(model)):
            what = f"the sampling period of a {model} depends on how it was set"
        self.report.warn(
            f"{what}, dt is NaN: give the settings file (compass_config_file) or the "
            "period (compass_sampling_period)"
        )

    def _tell(self, kind: str, text: str, warn: bool = False) -> None:
        """Add a note; only the first ones of each kind."""
        if text in self.report.notes:
            return
        self._told[kind] += 1
        if self._told[kind] > MAX_TOLD:
            text, warn = f"{kind}: there is more of the kind than these notes", False
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
        """Tell the kernel which buffers take the channels that were met."""
        if "CompassEventDecoder" not in self.rb_lib:
            return
        self.event_rbkd = dict(self.rb_lib["CompassEventDecoder"].get_keyed_dict())
        for key in self._met:
            self._route(key, self.event_decoder.n_samples(key))

    def _route(self, key: int, n_samples: int | None) -> None:
        """Tell the kernel which buffer takes a channel."""
        if self.event_rbkd is None:
            return
        rb = self.event_rbkd.get(key)
        if rb is not None:
            rb = self.event_rbkd[key] = self._fitting(rb, key, n_samples)
        lists = rb is not None and _samples_of(rb) is None
        self._kernel.set_buffer(key >> 9, key & 0x1FF, rb, lists=lists)

    def _fitting(self, rb: RawBuffer, key: int, n_samples: int | None) -> RawBuffer:
        """Return the buffer for waveforms of a length, to be used instead of `rb`."""
        decoder = self.event_decoder
        # (shapes of rows are numbers of samples; None is any)
        tables = self._overflow
        first = tables.first(rb)
        if first.table is None or "waveform" not in compass_decoded_values:
            # the user's own rows, or no column for waveforms
            return first
        if first not in tables:
            if _samples_of(first) != n_samples and first.private and not first.loc:
                # no channel of it was met before: what was expected does not count
                for other in first.key_list:
                    if other not in self._met:
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
                f"more than {MAX_OVERFLOW} lengths of waveforms: others are lists"
            )
            decoder.set_samples(key, None)
            return self._fitting(first, key, None)
        ending = "lists" if n_samples is None else n_samples
        found = tables.open(first, n_samples, decoder, ending, [key])
        what = "of several lengths" if n_samples is None else f"of {n_samples} samples"
        self.report.note(f"waveforms {what}: table {found.out_name}")
        return found

    def _new_channel(self) -> None:
        """React to a channel that is new, or has another number of samples."""
        kernel, decoder = self._kernel, self.event_decoder
        key = get_bc(kernel.detail_board, kernel.detail_channel)
        n_samples: int | None = kernel.detail_samples
        if key in self._met and not kernel.detail_is_new:
            where = f"board {key >> 9}, channel {key & 0x1FF}"
            self._tell("lengths", f"{where}: waveforms differ in length")
            n_samples = None
        kernel.end()
        if key not in self._met and key in decoder.decoded_values:
            self._compare(key, decoder.n_samples(key), n_samples)
        decoder.set_samples(key, n_samples)
        self._meet(key, n_samples)
        if self.event_rbkd is not None and key not in self.event_rbkd:
            self.offer_keys(decoder, self.event_rbkd, self._buffer_size, [key])
        self._route(key, n_samples)
        kernel.begin()

    # ---- reading -------------------------------------------------------------------

    def _react(self, status: int) -> bool:
        """Do what the kernel leaves to Python."""
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

    # ---- packets one at a time -----------------------------------------------------

    def set_in_stream(self, stream_name: str) -> None:
        """Open a file at its start, for a look at it."""
        self.open_source(stream_name)
        self.n_bytes_read = 0

    def load_packet(self) -> np.ndarray | None:
        """Return the next record without decoding it.

        Where files were joined, `header` is that of the file that it is of.

        Returns
        -------
        packet
            its bytes, of dtype ``S1``; None at the end.

        Raises
        ------
        DecodeError
            if there is no record, or only a part of one.
        RuntimeError
            if no stream is open.
        """
        source, kernel = self.source, self._kernel
        if source is None or kernel is None:
            msg = "no stream is open"
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
            problem = "no complete record"
            raise DecodeError(problem, source.name, source.offset)
        self.buffer = np.frombuffer(bytes(source.window[:n]), "S1")
        source.consume(n)
        kernel.pass_over(n)
        self.n_bytes_read = source.offset
        return self.buffer

    def _begin_joined(self, source: Source, n_bytes: int) -> None:
        """Pass over headers, and take the last one's word for what follows."""
        layout = CompassLayout.from_bits(2, source.window[n_bytes - 2])
        source.consume(n_bytes)
        self.header_decoder.set_layout(layout, source.window, present=True)

    # ---- accounting ----------------------------------------------------------------

    def _account(self) -> None:
        """Bring the report up to date with the kernel's counts."""
        super()._account()
        report, kernel = self.report, self._kernel
        if kernel.joined_at >= 0:
            report.note(
                "the file has headers in its middle, the first at byte "
                f"{kernel.joined_at}: several were joined"
            )
            for bits in range(16):
                layout = CompassLayout.from_bits(2, bits)
                if kernel.joined_words >> bits & 1 and (
                    layout != self.header_decoder.layout
                ):
                    self.report.warn(f"records of another layout were joined: {layout}")
        if kernel.other_code >= 0:
            report.note(
                f"waveforms with code {kernel.other_code} instead of 1 were met: what "
                "was saved may be no input signal"
            )
        self.event_decoder.skipped_channels = kernel.skipped_channels()
        self._account_for_channels(self.event_decoder)


def _samples_of(rb: RawBuffer) -> int | None:
    """Return the samples of a row of a buffer; None if they differ."""
    if rb.table is None:
        return None if "waveform/values/offsets" in rb.arrays() else 0
    for column in rb.table.fields:
        if column.name == "waveform":
            return None if column.kind == "lists" else column.width
    return 0
