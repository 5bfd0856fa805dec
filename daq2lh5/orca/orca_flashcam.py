"""Decoders of FlashCam data until 2024: one ORCA packet per trace."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..fc.fc_event_decoder import fc_event_decoded_values
from .columns import LISTENER_CONFIG, LISTENER_STATUS, MAX_CARDS, MAX_TRACES, WAVEFORM
from .orca_base import KernelDecoder
from .orca_packet import as_long
from .slow_control.record_decoder import RecordDecoder, enough
from .slow_control.record_shape import ANY_WORD, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..raw_buffer import RawBuffer
    from ._kernel import OrcaKernel
    from .orca_header import OrcaHeader
    from .orca_packet import OrcaPacket

__all__ = [
    "Listener",
    "ORFlashCamADCWaveformDecoder",
    "ORFlashCamListenerConfigDecoder",
    "ORFlashCamListenerStatusDecoder",
    "ORFlashCamWaveformDecoder",
    "cards_of",
    "configuration_of",
    "fc_event_decoded_values",
    "get_board_id",
    "get_fc_input",
    "get_fcid",
    "get_key",
    "listeners_of",
]

LISTENER_CLASS = "ORFlashCamListenerModel"
CARD_CLASSES = {"ORFlashCamADCModel": 16, "ORFlashCamADCStdModel": 4}
"""Classes of ADC cards, and their sampling periods in ns."""

CARDS_AT = 15
"""Word of a listener's status where its cards start."""

CARD_WORDS = 39
CARD_FIELDS = {
    "card_id": (0, 1),
    "card_status": (1, 2),
    "card_eventnumber": (2, 3),
    "card_pps_count": (3, 4),
    "card_clock_tick_count": (4, 5),
    "card_max_clock_ticks": (5, 6),
    "card_n_env_vals": (6, 7),
    "card_n_cti_links": (7, 8),
    "card_n_link_states": (8, 9),
    "card_n_errors_tot": (10, 11),
    "card_n_env_errors": (11, 12),
    "card_n_cti_errors": (12, 13),
    "card_n_link_errors": (13, 14),
    "card_n_other_errors": (14, 19),
    "card_temps": (19, 24),
    "card_voltages": (24, 30),
    "card_main_current": (30, 31),
    "card_humidity": (31, 32),
    "card_adc_temps": (32, 34),
    "card_cti_links": (35, 39),
}
"""First and end word (exclusive) of each column, in the words of a card's status."""


def get_key(fcid: int, board_id: int, fc_input: int) -> int:
    """Return the key of a trace: listener, card address and input in one number.

    Parameters
    ----------
    fcid
        id of the listener.
    board_id
        address of the card, less than 10000.
    fc_input
        input of the card, less than 100.
    """
    return fcid * 1000000 + board_id * 100 + fc_input


def get_fcid(key: int) -> int:
    """Return the listener of a key made by :func:`get_key`."""
    return key // 1000000


def get_board_id(key: int) -> int:
    """Return the card address of a key made by :func:`get_key`."""
    return key // 100 % 10000


def get_fc_input(key: int) -> int:
    """Return the input of a key made by :func:`get_key`."""
    return key % 100


def shared_table(
    key: int | str, fcid: int, key_lists: list[list], fcids: list[int | None]
) -> tuple[int | None, str]:
    """Return the table for rows of a key, as :meth:`.OrcaDecoder.place_of` does.

    Parameters
    ----------
    key, fcid
        the key, and its listener.
    key_lists
        lists of keys that share a table.
    fcids
        the listener of each list.
    """
    if fcid not in fcids:
        return None, f"fcid_{fcid}"
    number = fcids.index(fcid)
    # a list with one key names its table after the key
    if len(key_lists) > 1 and len(key_lists[number]) == 1:
        return None, str(key)
    return number, ""


@dataclass
class Listener:
    """Settings of a FlashCam listener in the header.

    Attributes
    ----------
    fcid
        id of the listener.
    n_samples
        samples of a trace; the listener's configuration overrides it.
    period
        sampling period of its cards in ns.
    cards
        crate, slot, address and sampling period of each known card.
    n_children
        number of cards, including unknown ones.
    keys
        keys of the inputs in use.
    fsp
        whether a stream processor (software trigger) is in use.
    """

    fcid: int
    n_samples: int = 0
    period: float = 16
    cards: list[tuple[int, int, int, float]] = field(default_factory=list)
    n_children: int = 0
    keys: list[int] = field(default_factory=list)
    fsp: bool = False


def listeners_of(header: OrcaHeader) -> list[Listener]:
    """Return the listeners that are read out, in the order of the header.

    ``ReadoutDescription`` lists the objects that are read out; their settings are
    elsewhere in the header (ORCA format, 2 and 4.3).
    """
    listeners = []
    # no look-up, which would warn: most files have no FlashCam
    if LISTENER_CLASS not in str(header.get("ReadoutDescription")):
        return listeners
    cards = header.get_object_info(list(CARD_CLASSES))
    for entry in header.get_readout_info(LISTENER_CLASS):
        fcid = _number(entry.get("uniqueID"), 0xFFFF)
        if not fcid:
            continue
        listener = Listener(fcid)
        settings = header.get_auxhw_info(LISTENER_CLASS, fcid)
        if isinstance(settings, dict):
            listener.n_samples = _number(settings.get("eventSamples"), 0xFFFF)
            listener.fsp = bool(settings.get("fspEnabled", False))
        children = _list(entry.get("children"))
        listener.n_children = len(children)
        for child in children:
            place = child if isinstance(child, dict) else {}
            crate = _number(place.get("crate"), 0xFFFF, -1)
            slot = _number(place.get("station"), 0xFFFF, -1)
            card = cards.get(crate, {}).get(slot)
            address = _number((card or {}).get("CardAddress"), 0xFFFF, -1)
            if address < 0:
                continue
            listener.period = CARD_CLASSES[card["Class Name"]]
            listener.cards.append((crate, slot, address, listener.period))
            listener.keys += [
                get_key(fcid, address, i)
                for i, enabled in enumerate(_list(card.get("Enabled")))
                if enabled
            ]
        listeners.append(listener)
    return listeners


def cards_of(
    header: OrcaHeader,
) -> list[tuple[int, int, list[tuple[int, int, int, float]]]]:
    """Return the listeners for the kernel: id, number of inputs in use, and cards."""
    return [(x.fcid, len(x.keys), x.cards) for x in listeners_of(header)]


def _list(value: Any) -> list[Any]:
    """Return `value` if it is a list, otherwise an empty list."""
    return value if isinstance(value, list) else []


def _number(value: Any, most: int, otherwise: int = 0) -> int:
    """Return `value` if it is a valid number, else `otherwise`."""
    if isinstance(value, (int, float)) and 0 <= value <= most:
        return int(value)
    return otherwise


class ORFlashCamListenerConfigDecoder(RecordDecoder):
    """Decode the configurations of listeners (ORCA format, 4.3.1).

    A packet is :ref:`wire-listener_config` and the map of traces:
    :ref:`wire-listener_trace` for each. Revisions and hardware ids of the cards may
    follow the map.
    """

    kind = "listener_config"
    table = LISTENER_CONFIG
    shape = Shape(13, step=1)

    def read(self, w: np.ndarray) -> dict[str, Any]:
        """Return the settings by column name.

        Raises
        ------
        ValueError
            if they cannot be.
        """
        # the streamer calls this method too
        enough(w, self.shape.least)
        names = [c.name for c in LISTENER_CONFIG.columns[4:15]]
        settings = dict(zip(names, w[2:13].view("int32").tolist(), strict=True))
        n_traces, n_cards = settings["nadcs"], settings["adccards"]
        if not 0 <= n_traces <= min(MAX_TRACES, len(w) - 13):
            msg = (
                f"listener configuration of {len(w)} words with {n_traces} traces, "
                f"expected 0 to {MAX_TRACES} that fit these words"
            )
            raise ValueError(msg)
        if not 0 <= n_cards <= MAX_CARDS:
            msg = (
                f"listener configuration with {n_cards} cards, "
                f"expected 0 to {MAX_CARDS}"
            )
            raise ValueError(msg)
        trace_map = w[13 : 13 + n_traces]
        revisions = np.zeros(n_cards, np.uint8)
        ids = np.zeros(n_cards, np.uint64)
        # four revisions per word, two words per id; older versions lack both
        at, n_words = 13 + n_traces, -(-n_cards // 4)
        if len(w) == at + n_words + 2 * n_cards and n_cards:
            revisions = w[at : at + n_words].astype("<u4").view(np.uint8)[:n_cards]
            halves = w[at + n_words :].astype(np.uint64)
            ids = halves[::2] << np.uint64(32) | halves[1::2]
        return {
            "packet_len": len(w),
            "readout_id": int(w[1]) >> 16,
            "fcid": int(w[1]) & 0xFFFF,
            **settings,
            "ch_board_id": (trace_map >> 16).astype(np.uint16),
            "ch_inputnum": (trace_map & 0xFFFF).astype(np.uint16),
            "board_rev": revisions,
            "board_uid": ids,
        }

    def decode_packet(
        self, packet: OrcaPacket, packet_id: int, rbl: list[RawBuffer]
    ) -> bool:
        """Decode a configuration, and store it in the header for other decoders.

        For parameters, return value and errors see
        :meth:`.RecordDecoder.decode_packet`.
        """
        is_full = super().decode_packet(packet, packet_id, rbl)
        if self.header is not None:
            configuration = configuration_of(self.read(as_long(packet)))
            self.header.configurations[configuration[0]] = configuration
        return is_full


def configuration_of(settings: dict[str, Any]) -> tuple[int, int, float, np.ndarray]:
    """Return the part of a listener's configuration that the kernel needs.

    Returns
    -------
    fcid, gps, period, trace_map
        id of the listener; whether its clock is external; sampling period in
        ns; card address (upper half) and input of each trace.
    """
    period = 4 if settings["adcbits"] == 12 else 16
    addresses = settings["ch_board_id"].astype(np.uint32)
    trace_map = addresses << 16 | settings["ch_inputnum"]
    return settings["fcid"], settings["gps"], period, trace_map


class ORFlashCamListenerStatusDecoder(RecordDecoder):
    """Decode status packets of listeners (ORCA format, 4.3.2): one row each.

    A packet is :ref:`wire-listener_status`, :ref:`wire-listener_card` for each card,
    and the links of the last card. The writer reserves room for links behind each card,
    but the next card overwrites them. Packets with links behind each card are decoded
    too.
    """

    table = LISTENER_STATUS
    shape = Shape(
        CARDS_AT, step=CARD_WORDS, count=(13, 0, ANY_WORD), spare=MAX_CARDS**2, time=5
    )

    def read(self, w: np.ndarray) -> dict[str, Any]:
        """Return the status by column name.

        Raises
        ------
        ValueError
            if it cannot be.
        """
        n = int(w[13])
        if not 1 <= n <= MAX_CARDS:
            msg = f"listener status with {n} cards, expected 1 to {MAX_CARDS}"
            raise ValueError(msg)
        if len(w) < CARDS_AT + CARD_WORDS * n:
            n_least = CARDS_AT + CARD_WORDS * n
            msg = (
                f"listener status of {len(w)} words, expected at least {n_least} "
                f"for {n} cards"
            )
            raise ValueError(msg)
        stride = _card_stride(w, n)
        end = CARDS_AT + stride * (n - 1) + CARD_WORDS
        at = CARDS_AT + stride * np.arange(n)[:, None] + np.arange(CARD_WORDS)
        cards = w[at]
        dtypes = {c.name: c.dtype for c in LISTENER_STATUS.columns}
        return {
            "readout_id": int(w[1]) >> 16,
            "fcid": int(w[1]) & 0xFFFF,
            "status": int(w[2:3].view("int32")[0]),
            "statustime": int(w[3]) + 1e-6 * int(w[4]),
            "cputime": int(w[5]) + 1e-6 * int(w[6]),
            "startoffset": int(w[8]) + 1e-6 * int(w[9]),
            "n_cards": n,
            "card_data_size": int(w[14:15].view("int32")[0]),
            "card_link_states": w[end : end + n],
            **{
                name: cards[:, first:last].ravel().view(dtypes[name])
                for name, (first, last) in CARD_FIELDS.items()
            },
        }


def _card_stride(w: OrcaPacket, n: int) -> int:
    """Return the distance of cards in the status of a listener, in words."""
    if n == 1 or _is_card_id(w[CARDS_AT + CARD_WORDS]):
        return CARD_WORDS
    stride = CARD_WORDS + n
    end = CARDS_AT + stride * (n - 1) + CARD_WORDS
    if end <= len(w) and _is_card_id(w[CARDS_AT + stride]):
        return stride
    return CARD_WORDS


def _is_card_id(word: int) -> bool:
    """Whether `word` is a possible card id: a kind, and a 12-bit number."""
    return word == 0 or int(word) >> 12 in (1, 2, 4)


def waveform_decoded_values() -> dict[str, Any]:
    """Return the columns of the tables of traces.

    For columns that FCIO has too, the user's settings for FCIO apply.
    """
    values = WAVEFORM.decoded_values()
    for name in values.keys() & fc_event_decoded_values.keys():
        for setting in ("hdf5_settings", "compression"):
            if setting in fc_event_decoded_values[name]:
                wanted = fc_event_decoded_values[name][setting]
                values[name][setting] = copy.deepcopy(wanted)
    return values


class ORFlashCamWaveformDecoder(KernelDecoder):
    """Decode traces (ORCA format, 4.3.3): one row each.

    A packet is :ref:`wire-flashcam_std_trace`, the FlashCam header, and the samples,
    two per word. The header is :ref:`wire-flashcam_offsets`,
    :ref:`wire-flashcam_times` and :ref:`wire-flashcam_fpga`.

    Attributes
    ----------
    key_list
        keys of the inputs in use, by listener.
    n_adc
        number of inputs in use, by listener.
    fcid, board_id
        listener and address of each card, by crate and slot.
    skipped_channels
        number of unselected traces by key.
    fc_input_mask, fc_input_shift, channel_mask
        bits of word 2 with the input, and with the index of the trace.
    """

    kind = "waveform"
    table = WAVEFORM
    variant = 1
    fc_input_mask = 0x3E00
    fc_input_shift = 9
    channel_mask = 0x1FF

    def __init__(self, header: OrcaHeader | None = None, **kwargs: Any) -> None:
        self.decoded_values_template = waveform_decoded_values()
        self.decoded_values: dict[int, dict[str, Any]] = {}
        self.key_list: dict[int, list[int]] = {}
        self.n_adc: dict[int, int] = {}
        self.fcid: dict[int, dict[int, int]] = {}
        self.board_id: dict[int, dict[int, int]] = {}
        self.skipped_channels: dict[int, int] = {}
        super().__init__(header=header, **kwargs)

    def set_header(self, header: OrcaHeader) -> None:
        """Set the keys and trace lengths from a header."""
        super().set_header(header)
        self.key_list = {}
        self.n_adc = {}
        self.fcid = {}
        self.board_id = {}
        self.decoded_values = {}
        for listener in listeners_of(header):
            self.key_list[listener.fcid] = listener.keys
            self.n_adc[listener.fcid] = len(listener.keys)
            for crate, slot, address, _ in listener.cards:
                self.fcid.setdefault(crate, {})[slot] = listener.fcid
                self.board_id.setdefault(crate, {})[slot] = address
            values = copy.deepcopy(self.decoded_values_template)
            values["waveform"]["wf_len"] = listener.n_samples
            values["waveform"]["dt"] = listener.period
            self.decoded_values[listener.fcid] = values

    def get_key_lists(self) -> list[list[int]]:
        """Return the keys of each listener."""
        return [list(keys) for keys in self.key_list.values()]

    def get_decoded_values(self, key: int | None = None) -> dict[str, Any]:
        """Return the columns of the table for a key.

        Raises
        ------
        KeyError
            if neither the header nor a decoded trace has the key.
        """
        if key is None:
            return next(
                iter(self.decoded_values.values()), self.decoded_values_template
            )
        return self.decoded_values[get_fcid(key)]

    def place_of(self, key: int) -> tuple[int | None, str]:  # noqa: D102
        lists = self.get_key_lists()
        return shared_table(key, get_fcid(key), lists, [*self.key_list])

    def take_on(self, key: int, n_samples: int = 0) -> None:  # noqa: D102
        if get_fcid(key) not in self.decoded_values:
            template = copy.deepcopy(self.decoded_values_template)
            template["waveform"]["wf_len"] = n_samples
            self.decoded_values[get_fcid(key)] = template

    def assert_nsamples(self, nsamples: int, fcid: int) -> None:
        """Set another number of samples for the traces of a listener.

        Parameters
        ----------
        nsamples
            number of samples.
        fcid
            id of the listener.
        """
        self.decoded_values[fcid]["waveform"]["wf_len"] = nsamples

    def _configure(self, kernel: OrcaKernel) -> None:
        kernel.flashcam.set_listeners(cards_of(self.header))
        for configuration in self.header.configurations.values():
            kernel.flashcam.configure(*configuration)

    def set_buffers(  # noqa: D102
        self,
        kernel: OrcaKernel,
        keyed: dict,
        overflow_of: Callable[[RawBuffer], Sequence[RawBuffer]],
    ) -> None:
        kernel.set_trace_buffers(self.variant, keyed, overflow_of)

    def fit(self, rb: RawBuffer, n_samples: int) -> bool:
        """Resize an empty table: the trace length in the header is often wrong.

        Parameters
        ----------
        rb
            the buffer of a single packet.
        n_samples
            samples of its trace.

        Returns
        -------
        done
            False if the buffer already has rows.
        """
        table = rb.lgdo
        if rb.loc or "waveform" not in table:
            return False
        values = table["waveform"].values
        values.nda = np.zeros((len(values), n_samples), values.nda.dtype)
        self.assert_nsamples(n_samples, get_fcid(rb.key_list[0]))
        return True


class ORFlashCamADCWaveformDecoder(ORFlashCamWaveformDecoder):
    """Decode traces of packets that begin with :ref:`wire-flashcam_trace`.

    Otherwise as :class:`ORFlashCamWaveformDecoder`: input and index of the trace have
    other bits (ORCA format, 4.3.3).
    """

    variant = 0
    fc_input_mask = 0x3C00
    fc_input_shift = 10
    channel_mask = 0x3FF
