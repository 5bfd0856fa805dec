"""Streamer of FCIO (FlashCam) files and pipes."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING

from ..errors import DecodeError
from ..raw_buffer import RawBuffer, RawBufferLibrary
from ..selection.overflow_tables import (
    MAX_OVERFLOW,
    TOO_MANY_LENGTHS,
    TOO_MANY_TABLES,
)
from ..streaming.kernel_streamer import KernelStreamer
from ._kernel import FcioKernel
from .fc_base import LONE_FSP
from .fc_config_decoder import FCConfigDecoder
from .fc_event_decoder import FCEventDecoder
from .fc_eventheader_decoder import FCEventHeaderDecoder
from .fc_fsp_decoder import FSPConfigDecoder, FSPEventDecoder, FSPStatusDecoder
from .fc_status_decoder import FCStatusDecoder
from .wire import HANDSHAKE

if TYPE_CHECKING:
    from ..data_decoder import DataDecoder

__all__ = ["FCStreamer"]

CONFIG_ROWS = 256
"""Rows of the FCConfig buffer: most files have one."""

MAX_TOLD = 8
"""Largest number of cards named in notes."""

MAX_CARDS = 4096
"""Largest number of tables for cards that the configuration lacks."""

OBSOLETE_TAGS = {2: "Calib", 5: "RecEvent"}
"""Records without a table."""


class FCStreamer(KernelStreamer):
    """Decode FCIO data.

    Attributes
    ----------
    fcio
        state of the stream: ``config``, ``event``, ``status`` and ``tag`` of the last
        records.
    """

    format_name = "FlashCam"

    def __init__(self) -> None:
        self.config_decoder = FCConfigDecoder()
        self.status_decoder = FCStatusDecoder()
        self.event_decoder = FCEventDecoder()
        self.eventheader_decoder = FCEventHeaderDecoder()
        self.fsp_config_decoder = FSPConfigDecoder()
        self.fsp_event_decoder = FSPEventDecoder()
        self.fsp_status_decoder = FSPStatusDecoder()
        super().__init__()

    def start_anew(self) -> None:
        """Forget the last stream; changes by the user to the decoders stay."""
        super().start_anew()
        self.fcio = self._kernel = FcioKernel()
        self.event_decoder.skipped_channels = {}
        # records and bytes without a buffer so far
        self._skipped = 0, 0
        # records and bytes beyond the largest number of tables, so far and as reported
        self._has_table = True
        self._lost = self._told = 0, 0

        self.event_rbkd: dict | None = None
        self.eventheader_rbkd: dict | None = None
        self.status_rbkd: dict | None = None
        self.fsp_config_rbkd: dict | None = None
        self.fsp_event_rbkd: dict | None = None
        self.fsp_status_rbkd: dict | None = None

        self._keyed: dict[str, dict] = {}
        self._config_rb: RawBuffer | None = None
        # different FSPConfig records, and buffers of those behind the first Config
        self._fsp_configs: list[tuple[bytes, ...]] = []
        self._late_configs: list[RawBuffer] = []
        self._n_new_cards = 0
        # numbers of samples so far, beginning with the first configuration's
        self._widths: dict[int, int] = {}
        self._width: int | None = None
        # buffers that had events since the number of samples changed, by id, and
        # buffers of status by stream and key: configurations may be many
        self._in_use: dict[int, RawBuffer] = {}
        self._status_of: dict[str, dict[int | str, RawBuffer]] = {}

    def get_decoder_list(self) -> list[DataDecoder]:
        """Return the decoders of all tables."""
        return [
            self.config_decoder,
            self.status_decoder,
            self.event_decoder,
            self.eventheader_decoder,
            self.fsp_config_decoder,
            self.fsp_event_decoder,
            self.fsp_status_decoder,
        ]

    @property
    def fcio_bytes_read(self) -> int:
        """Bytes of records that were decoded."""
        return self.report.bytes["decoded"]

    @property
    def fcio_bytes_skipped(self) -> int:
        """Bytes that were not decoded, for any reason."""
        return self.report.n_bytes - self.report.bytes["decoded"]

    # ---- opening -------------------------------------------------------------------

    def open_stream(
        self,
        fcio_peer: str,
        rb_lib: RawBufferLibrary | None = None,
        buffer_size: int = 8192,
        chunk_mode: str = "any_full",
        out_stream: str = "",
    ) -> list[RawBuffer]:
        """Open an FCIO stream, and read up to its first configuration.

        The parameters are described in :meth:`.DataStreamer.open_stream`.

        Returns
        -------
        header_data
            the buffer of `FCConfig` with its first row and, if the stream has a
            software trigger, the buffer of `FSPConfig`.

        Raises
        ------
        DecodeError
            if the input has no FCIO handshake, or no configuration.
        """
        source = self.open_source(fcio_peer)
        self._check_handshake()
        self._buffer_size = buffer_size
        self._read_to_config()
        for decoder in self.get_decoder_list():
            decoder.set_fcio_stream(self.fcio)

        super().open_stream(fcio_peer, rb_lib, buffer_size, chunk_mode, out_stream)
        self._bind()
        self._note_config()
        self.fcio.asks_for_cards = True
        self.packet_id = 0
        self.n_bytes_read = source.offset
        return self._header_buffers()

    def _check_handshake(self) -> None:
        window = self.source.fill(HANDSHAKE.size)
        if bytes(window[:14]) != b"\xff\x35\x65\xc4FlashCamV1":
            msg = "no FCIO handshake"
            raise DecodeError(
                msg, self.source.name, 0, "it is not an FCIO file, or its start is lost"
            )

    def _read_to_config(self) -> None:
        """Read records up to the first configuration."""
        self.fcio.begin()
        try:
            while not self.fcio.configured:
                status = self._decode(1)
                if status == FcioKernel.END:
                    break
        finally:
            self.fcio.end()
        self._account()
        if self.fcio.configured:
            return
        if self.report.n_damage or self.report.n_bytes > HANDSHAKE.size:
            msg = "no configuration record in the whole stream"
            if self.report.damage:
                first = self.report.damage[0]
                msg += f" (byte {first.offset}: {first.reason})"
            raise DecodeError(
                msg, self.source.name, advice="without one no event can be decoded"
            )
        self.report.warn("the stream has a handshake and nothing else")

    def _header_buffers(self) -> list[RawBuffer]:
        """Return the buffers of the configurations with their first rows."""
        if not self.fcio.configured:
            return []
        decoder = self.config_decoder
        rbs = self.rb_lib.get("FCConfigDecoder")
        if rbs:
            self._config_rb = rbs[0]
            # a user's table may be shorter
            if self._config_rb.private:
                rows = min(CONFIG_ROWS, self._buffer_size)
                self._config_rb.table.resize(rows)
        else:
            self._config_rb = RawBuffer(key_list=decoder.key_list)
            self._config_rb.use_table(decoder.make_buffer(None, 1))
        decoder.append_row(self.fcio, self._config_rb, 0)
        header = [self._config_rb]
        if self.fcio.fsp:
            self._fsp_configs.append(tuple(self.fcio.fsp_frames or ()))
            header.append(self._header_buffer(self.fsp_config_decoder))
        return header

    def _bind(self) -> None:
        """Assign buffers to the kernel, under the configuration in force."""
        keyed = {}
        for decoder in self.get_decoder_list():
            name = type(decoder).__name__
            if name in self.rb_lib:
                # made once: later the library has overflow tables with the same keys
                keyed[name] = self._keyed.get(name)
                if keyed[name] is None:
                    keyed[name] = self.rb_lib[name].get_keyed_dict()
                self.offer_keys(decoder, keyed[name], self._buffer_size)
        self._keyed = keyed
        self.status_rbkd = keyed.get("FCStatusDecoder")
        self.event_rbkd = keyed.get("FCEventDecoder")
        self.eventheader_rbkd = keyed.get("FCEventHeaderDecoder")
        self.fsp_config_rbkd = keyed.get("FSPConfigDecoder")
        self.fsp_event_rbkd = keyed.get("FSPEventDecoder")
        self.fsp_status_rbkd = keyed.get("FSPStatusDecoder")
        self.fcio.set_buffers(
            {
                "FCEvent": self._events_of_this_width(),
                "FCEventHeader": self.eventheader_rbkd,
                "FCStatus": self._status_of_this_stream(),
                "FSPEvent": self.fsp_event_rbkd,
                "FSPStatus": self.fsp_status_rbkd,
            }
        )

    def _status_of_this_stream(self) -> dict | None:
        """Return the status buffers of the current stream id by key.

        They include cards of earlier configurations, which may still report.
        """
        if self.status_rbkd is None or not self.fcio.configured:
            return self.status_rbkd
        news = self.status_decoder.key_list if self._status_of else self.status_rbkd
        for key in news:
            if key in self.status_rbkd:
                of_stream = self._status_of.setdefault(str(key).partition("/")[0], {})
                of_stream[key] = self.status_rbkd[key]
        return self._status_of.get(f"fcid_{self.fcio.config.streamid & 0xFFFF}", {})

    # ---- reading -------------------------------------------------------------------

    def read_packets(self, limit: int) -> bool:
        """Decode up to `limit` records, see :meth:`.DataStreamer.read_packets`.

        An FSP record and the record that it describes count as one.
        """
        more = super().read_packets(limit)
        self.packet_id = max(self.packet_id, 0)
        return more

    def _react(self, status: int) -> bool:
        """React to a new configuration or card; True ends the chunk."""
        if status == FcioKernel.KEY:
            self._new_card(self.fcio.detail_card)
        return status == FcioKernel.HEADER and not self._new_header()

    def _kind_of_unknown(self, reason: str) -> str:  # noqa: ARG002
        """Return the kind of an unknown record, by its tag."""
        tag = self.fcio.damage_tag
        return f"{OBSOLETE_TAGS.get(tag, 'FCIO record')} (tag {tag})" if tag else ""

    def _account(self) -> None:
        """Bring the report up to date with the kernel's counts."""
        super()._account()
        self._account_for_irregular()
        report, fcio = self.report, self.fcio
        if fcio.n_extra_frames:
            report.note("some records have more frames than this version knows")
        if fcio.short_tracemap:
            report.note("the trace map lacks traces: they have address and input 0")
        if fcio.kept_fields:
            report.warn(
                "a later configuration has no stream id: its data keep the stream id "
                "of the configuration before"
            )
        if fcio.n_lone_fsp:
            report.irregular[LONE_FSP] = fcio.n_lone_fsp
        if report.bytes["corrupt"]:
            report.note(
                "after damage packet_id, run time, life time and dead time are "
                "computed from the undamaged records"
            )
        self._count_skipped()
        for counts, lost, told in zip(
            (report.packets, report.bytes), self._lost, self._told, strict=True
        ):
            counts["skipped"] -= lost
            counts["unknown"] += lost - told
        self._told = self._lost
        self._account_for_channels(self.event_decoder)

    def _count_skipped(self) -> None:
        """Count records without a buffer since the last time, by cause."""
        fcio, decoder = self.fcio, self.event_decoder
        before = self._skipped
        self._skipped = fcio.packets[1], fcio.bytes[1]
        if self._has_table and not self._without_table:
            decoder.count_skipped(fcio)
            return
        counts = fcio.skipped_channels()
        # selected channels without a table
        wanted = self._without_table if self._has_table else self.event_rbkd
        lost = {key: n for key, n in counts.items() if key in wanted}
        others = Counter(decoder.skipped_channels)
        others.update({key: n for key, n in counts.items() if key not in lost})
        decoder.skipped_channels = dict(others)
        if lost:
            rule = TOO_MANY_TABLES if self._has_table else TOO_MANY_LENGTHS
            self.report.irregular[rule] += sum(lost.values())
            packets, n_bytes = (
                sum_ + now - then
                for sum_, now, then in zip(
                    self._lost, self._skipped, before, strict=True
                )
            )
            self._lost = packets, n_bytes

    def _note_config(self) -> None:
        """Report what is unknown with the current configuration."""
        config = self.fcio.config
        if config is not None and config.adcbits not in (12, 16):
            self.report.warn(
                f"adcbits is {config.adcbits}: the sampling period is unknown, dt is "
                "NaN, and daqenergy the FPGA's value without a correction"
            )
        if config is not None and config.blprecision == 0:
            self.report.note(
                "blprecision is 0: baseline and 12-bit energy are set to 0"
            )

    # ---- new cards and settings in mid-stream --------------------------------------

    def _new_card(self, card: int) -> None:
        """React to the status of a card that the configuration lacks."""
        if self.status_rbkd is None:
            return
        fcid = self.fcio.config.streamid & 0xFFFF
        key = f"fcid_{fcid}/status/card{card}"
        if len(self.rb_lib["FCStatusDecoder"]) > MAX_CARDS:
            self.report.warn(
                f"more than {MAX_CARDS} cards: the status of others is not decoded"
            )
            return
        decoder = self.status_decoder
        self.offer_keys(decoder, self.status_rbkd, self._buffer_size, [key])
        rb = self.status_rbkd.get(key)
        if rb is None:
            # the specification does not select such cards
            return
        self._n_new_cards += 1
        if self._n_new_cards <= MAX_TOLD:
            self.report.note(f"status of card {card}, which the configuration lacks")
        self._status_of.setdefault(f"fcid_{fcid}", {})[key] = rb
        self.fcio.end()
        self.fcio.set_card(card, rb)
        self.fcio.begin()

    def _new_fsp_config(self) -> None:
        """Keep an FSPConfig record in mid-stream.

        Each different one becomes a struct, named after the first record it applies to.
        """
        frames = tuple(self.fcio.fsp_frames)
        if frames in self._fsp_configs:
            self.report.note("an FSPConfig record is repeated")
            return
        if self.fsp_config_rbkd is None:
            return
        keyed, keys = self.fsp_config_rbkd, self.fcio.keys()["FSPConfig"]
        self.offer_keys(self.fsp_config_decoder, keyed, self._buffer_size, keys)
        first = keyed.get(keys[0])
        if first is None:
            # the specification does not select it
            return
        if len(self._fsp_configs) > MAX_OVERFLOW:
            self.report.warn(
                f"more than {MAX_OVERFLOW} different FSPConfig records: others are not "
                "written"
            )
            self.report.irregular[
                "FSPConfig record not written: too many different ones"
            ] += 1
            return
        now = SimpleNamespace(fsp_config=self.fcio.fsp_config, keys=self.fcio.keys)
        decoder = FSPConfigDecoder()
        decoder.set_fcio_stream(now)
        rb = first.beside(self.fcio.packet_id)
        if self._fsp_configs:
            self.report.note(f"FSPConfig in mid-stream: struct {rb.out_name}")
        else:
            rb.out_name = first.out_name
        self._fsp_configs.append(frames)
        rb.make_later(decoder.make_lgdo, decoder.describe_lgdo)
        rb.loc = 1
        self._late_configs.append(rb)

    def final_buffers(self) -> list[RawBuffer]:
        """Return the FSPConfig records from mid-stream."""
        return self._late_configs

    # ---- configurations in mid-stream ----------------------------------------------

    def _new_header(self) -> bool:
        """React to a configuration in mid-stream; False ends the chunk."""
        if not self.fcio.header_is_config:
            self._new_fsp_config()
            return True
        if self.fcio.fsp_is_config:
            self._new_fsp_config()
        self.fcio.end()
        self._note_config()
        self.report.note("the stream has more than one configuration")
        rb = self._config_rb
        if "FCConfigDecoder" in self.rb_lib:
            self.config_decoder.append_row(self.fcio, rb, self.fcio.packet_id)
            self.any_full |= rb.is_full()
        # traces are counted under the configuration that they were read with
        self._count_skipped()
        width = self.event_decoder.decoded_values["waveform"]["wf_len"]
        for decoder in self.get_decoder_list():
            if decoder is not self.fsp_config_decoder:
                decoder.set_fcio_stream(self.fcio)
        # the requested size sufficed for the first configuration
        most = max(d.get_max_rows_in_packet() for d in self.get_decoder_list())
        self._buffer_size = max(self._buffer_size, most)
        if self.fcio.config.eventsamples != width:
            return not self._change_buffers(self._bind, wait=True)
        self._bind()
        self.fcio.begin()
        return not self.any_full

    def _events_of_this_width(self) -> dict | None:
        """Return the event buffers by key for the configuration's number of samples.

        If it differs from the first configuration's, events go to overflow tables.
        Buffers of other widths release their memory.
        """
        if self.event_rbkd is None or not self.fcio.configured:
            return self.event_rbkd
        samples = self.fcio.config.eventsamples
        number = self._widths.setdefault(samples, len(self._widths))
        self._has_table = number <= MAX_OVERFLOW
        keys = self.event_decoder.key_list
        current = {key: self.event_rbkd[key] for key in keys if key in self.event_rbkd}
        if not self._has_table:
            self.report.warn(
                f"more than {MAX_OVERFLOW} lengths of waveforms: others are not decoded"
            )
            return None
        if number > 0:
            current = {k: self._overflow_of(rb, samples) for k, rb in current.items()}
        others = {} if samples == self._width else self._in_use
        self._width = samples
        in_use = {id(rb): rb for rb in current.values()}
        for i, rb in others.items():
            if i not in in_use and rb.private and rb.loc == 0:
                rb.table.resize(len(rb))
        self._in_use = in_use if others else self._in_use | in_use
        return current

    def _overflow_of(self, first: RawBuffer, samples: int) -> RawBuffer:
        """Return the overflow buffer of `first` for another number of samples."""
        rb = self._overflow.find(first, samples)
        if rb is None:
            rb = self._overflow.open(first, samples, self.event_decoder, samples)
            self.report.note(f"waveforms of {samples} samples: table {rb.out_name}")
        return rb
