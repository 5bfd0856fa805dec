"""Settings files of CoMPASS: boards, channels, sampling.

Sections are those of the CoMPASS format.
"""

from __future__ import annotations

import logging
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from ..errors import DecodeError, show
from ..reading.magic import without_ending
from ..resources.paths import expand_path

if TYPE_CHECKING:
    import os
    from typing import TypeGuard

    import lgdo


log = logging.getLogger(__name__)

__all__ = [
    "Board",
    "Settings",
    "as_struct",
    "compass_config_to_struct",
    "find_settings",
    "fixed_period_ns",
    "header_tree",
    "number_of",
    "read_settings",
    "sampling_period_ns",
]

max_number_channels = 8
"""Channels of a board in the header of a file without settings."""

max_number_of_boards = 2
"""Boards in the header of a file without settings; all boards are decoded."""

DT5730_sample_freq = 0.5
"""Samples per ns."""

DT5725_sample_freq = 0.25
"""Samples per ns."""

MAX_BYTES = 16 * 2**20
"""Largest settings file; typical ones have some 100 kB."""

MAX_ELEMENTS = 1_000_000
"""Largest number of elements of a settings file: each takes 100 bytes of memory."""

TOO_LARGE = 1e18
"""Bound of numbers in settings; as a time in ns: 30 years."""

DATA_FOLDERS = ("RAW", "UNFILTERED", "FILTERED")
"""Folders of a run with its data; the settings are in the folder above."""

PARAMETER = re.compile(r"\w[\w.-]{0,200}")
"""Valid names of parameters."""

PERIODS_NS = {
    "720": 4.0,
    "721": 2.0,
    "724": 10.0,
    "725": 1 / DT5725_sample_freq,
    "730": 1 / DT5730_sample_freq,
    "731": 2.0,
    "740": 16.0,
    "742": 0.2,
    "743": 0.3125,
    "751": 1.0,
    "761": 0.25,
    "780": 10.0,
    "781": 10.0,
    "782": 10.0,
    "790": 4.0,
    "2740": 8.0,
    "2745": 8.0,
    "2730": 2.0,
    "2751": 1.0,
}
"""Sampling periods by family of boards, used without settings (format 4.1)."""

ADJUSTABLE = {"731", "742", "743", "751"}
"""Families with an adjustable sampling period (format 4.1)."""

FAMILY = re.compile(
    r"(?<![A-Z])(?:(?:VX|V|DT|N)[-_ ]?[156](7\d\d)|(?:VX|V|DT)[-_ ]?(27\d\d))(?!\d)",
    re.IGNORECASE,
)
"""Names of models in all spellings, with other text around."""


def sampling_period_ns(model: str | None) -> float:
    """Return the sampling period of a model in ns; NaN if unknown (format 4.1).

    For an adjustable one, the usual period.
    """
    return PERIODS_NS.get(_family(model), math.nan)


def fixed_period_ns(model: str | None) -> float:
    """Return a model's sampling period in ns; NaN if adjustable or unknown."""
    return math.nan if _family(model) in ADJUSTABLE else sampling_period_ns(model)


def _family(model: str | None) -> str:
    match = FAMILY.search(model or "")
    return "" if match is None else match[1] or match[2]


@dataclass
class Board:
    """Settings of a board.

    Attributes
    ----------
    model, adc_bits, serial
        text from the file; None if missing.
    period_ns
        sampling period; NaN if unknown.
    dpp_type
        firmware, ``DPP_PSD`` or ``DPP_PHA``.
    defaults
        parameters of the board by name.
    channels
        parameters of each channel; those without a value in the file have the board's.
    notes
        messages about invalid settings.
    """

    model: str | None = None
    adc_bits: str | None = None
    serial: str | None = None
    period_ns: float = math.nan
    dpp_type: str | None = None
    defaults: dict[str, str] = field(default_factory=dict)
    channels: dict[int, dict[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def parameter(self, channel: int, name: str) -> str | None:
        """Return a parameter of a channel, by default the board's."""
        return self.channels.get(channel, {}).get(name, self.defaults.get(name))

    @property
    def enabled(self) -> list[int]:
        """The channels that are enabled."""
        name = "SRV_PARAM_CH_ENABLED"
        return [c for c in self.channels if self.parameter(c, name) == "true"]

    @property
    def wf_len(self) -> float:
        """Samples of a waveform; NaN if unknown."""
        return number_of(self.defaults.get("SRV_PARAM_RECLEN")) / self.period_ns

    def pre_trigger(self, channel: int) -> str | None:
        """Return the pre-trigger of a channel as text from the file."""
        return self.parameter(channel, "SRV_PARAM_CH_PRETRG")

    def t0_ns(self, channel: int) -> float:
        """Return the time of a channel's first sample relative to the trigger.

        0 without such a setting: times count from the first sample. NaN if the setting
        is not a number.
        """
        pre_trigger = self.pre_trigger(channel)
        # not -0.0
        return 0.0 if pre_trigger is None else 0.0 - number_of(pre_trigger)


@dataclass
class Settings:
    """Contents of a settings file.

    Attributes
    ----------
    path
        name of the file.
    boards
        the boards in the order of their numbers.
    energy_format, mode
        ``energyFormatList`` and ``acquisitionMode``; None if missing.
    """

    path: str
    boards: list[Board]
    energy_format: str | None = None
    mode: str | None = None


def number_of(text: str | float | None) -> float:
    """Return a number; NaN if it is missing or out of range."""
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return math.nan
    return value if abs(value) < TOO_LARGE else math.nan


def read_settings(
    path: str | os.PathLike[str], period_ns: float | None = None
) -> Settings:
    """Read a settings file (4).

    Parameters
    ----------
    path
        name of the file.
    period_ns
        sampling period of boards without one in the file; by default the period of
        their model (format 4.1).

    Raises
    ------
    DecodeError
        if the file is not a settings file of CoMPASS.
    OSError
        if it cannot be read.
    """
    name = expand_path(path)
    file = Path(name)
    if file.stat().st_size > MAX_BYTES:
        problem = f"larger than {MAX_BYTES >> 20} MiB, the limit for settings files"
        raise DecodeError(problem, name)
    text = file.read_bytes()
    # each has a start tag, and most have an end tag
    if text.count(b"<") > 2 * MAX_ELEMENTS:
        problem = f"more than {MAX_ELEMENTS} elements, the limit for settings files"
        raise DecodeError(problem, name)
    root = _parse(text, name)
    boards = [_read_board(element, period_ns) for element in root.findall("board")]
    if root.tag != "configuration" or not boards:
        problem = "not CoMPASS settings: no <board> in a <configuration>"
        raise DecodeError(problem, name)
    acquisition = root.find("acquisitionMemento")
    return Settings(
        name,
        boards,
        _text(acquisition, "energyFormatList"),
        _text(acquisition, "acquisitionMode"),
    )


def _parse(text: bytes, name: str) -> ET.Element:
    """Parse XML; entities are refused, as they can expand to any amount of memory."""

    def refuse(*_: object) -> None:
        problem = "the settings declare entities, which CoMPASS never does"
        raise DecodeError(problem, name, parser.CurrentByteIndex)

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text, True)
        return ET.fromstring(text)
    except (expat.ExpatError, ET.ParseError, LookupError, ValueError) as e:
        problem = f"not valid XML ({e})"
        advice = "give the settings file that CoMPASS wrote for the run"
        raise DecodeError(problem, name, advice=advice) from e


def _text(element: ET.Element | None, path: str) -> str | None:
    """Return the text at a path; None if missing or empty."""
    text = None if element is None else element.findtext(path)
    return (text.strip() or None) if text is not None else None


def _is_parameter(key: str | None) -> TypeGuard[str]:
    """Whether a parameter's name is valid in the output."""
    return key is not None and PARAMETER.fullmatch(key) is not None


def _read_board(element: ET.Element, period_ns: float | None) -> Board:
    model = _text(element, "modelName")
    board = Board(
        model,
        _text(element, "adcBitCount"),
        _text(element, "serialNumber"),
        dpp_type=_text(element, "dppType"),
    )
    sample_time = _text(element, "sampleTime")
    period = number_of(sample_time) / 1000
    if not period > 0:
        if sample_time is not None:
            board.notes.append(f"its sampleTime, {show(sample_time)}, is not a time")
        period = fixed_period_ns(model) if period_ns is None else period_ns
    board.period_ns = period
    for entry in element.findall("parameters/entry"):
        key, value = _text(entry, "key"), _text(entry, "value/value")
        if _is_parameter(key) and value is not None:
            board.defaults[key] = value
    for number, channel in enumerate(element.findall("channel")):
        index = _text(channel, "index")
        own: dict[str, str] = {}
        for entry in channel.findall("values/entry"):
            key = _text(entry, "key")
            value = _text(entry, "value")
            if value is None:
                value = board.defaults.get(key or "")
            if _is_parameter(key) and value is not None:
                own[key] = value
        if index is not None and index.isdecimal() and len(index) < 6:
            number = int(index)  # noqa: PLW2901
        elif index is not None:
            board.notes.append(f"{show(index)} is not a channel number")
        board.channels[number] = own
    return board


def find_settings(stream_name: str, period_ns: float | None = None) -> Settings | None:
    """Look for the settings file of a run beside its data.

    For ``RUN.BIN`` it is ``RUN_settings.xml``, ``RUN.xml`` or ``settings.xml`` in the
    same folder, or ``settings.xml`` in the folder above a data folder of CoMPASS.

    Parameters
    ----------
    stream_name
        name of the data file.
    period_ns
        see :func:`read_settings`.

    Returns
    -------
    settings
        None without a settings file of CoMPASS.
    """
    path = Path(stream_name.removeprefix("file://"))
    if not path.is_file():
        return None
    path = without_ending(path)
    folder = path.absolute().parent
    candidates = [
        folder / f"{path.stem}_settings.xml",
        folder / f"{path.stem}.xml",
        folder / "settings.xml",
    ]
    if folder.name in DATA_FOLDERS:
        candidates.append(folder.parent / "settings.xml")
    for candidate in candidates:
        if not candidate.is_file():
            continue
        try:
            return read_settings(candidate, period_ns)
        except (DecodeError, OSError) as e:
            log.warning("%s: not used as settings: %s", stream_name, e)
    return None


def header_tree(settings: Settings | None, wf_len: float | None) -> dict[str, Any]:
    """Return the boards of the header struct (format 5.3) as dictionaries.

    Parameters
    ----------
    settings
        settings of the run, if known.
    wf_len
        samples of a waveform, for a header without settings.
    """
    boards: dict[str, Any] = {}
    if settings is None:
        for i in range(max_number_of_boards):
            boards[str(i)] = {
                "modelName": math.nan,
                "adcBitCount": math.nan,
                "sample_rate": math.nan,
                "wf_len": math.nan if wf_len is None else float(wf_len),
                "channels": {str(j): math.nan for j in range(max_number_channels)},
            }
        return {"boards": boards}
    for i, board in enumerate(settings.boards):
        boards[str(i)] = {
            "modelName": math.nan if board.model is None else board.model,
            "adcBitCount": math.nan if board.adc_bits is None else board.adc_bits,
            "sample_rate": 1 / board.period_ns,
            "wf_len": board.wf_len,
            "channels": {str(c): dict(board.channels[c]) for c in board.enabled},
        }
    return {"boards": boards}


def as_struct(tree: dict[str, Any]) -> lgdo.Struct:
    """Return nested dictionaries as nested structs of scalars."""
    import lgdo  # noqa: PLC0415  (takes a second; conversions do not need it)

    return lgdo.Struct(
        {
            name: as_struct(value) if isinstance(value, dict) else lgdo.Scalar(value)
            for name, value in tree.items()
        }
    )


def compass_config_to_struct(
    compass_config_file: str | None = None, wf_len: int | None = None
) -> lgdo.Struct:
    """Return boards and channels of a settings file as a struct.

    Parameters
    ----------
    compass_config_file
        name of the settings file. Without one the struct has
        `max_number_of_boards` boards of `max_number_channels` channels, all values
        NaN.
    wf_len
        samples of a waveform; needed without a settings file.

    Returns
    -------
    config
        a struct ``boards``, with a struct for each board by its number: ``modelName``,
        ``adcBitCount``, ``sample_rate`` (samples per ns), ``wf_len`` (samples), and
        ``channels`` with the settings of each enabled channel.

    Raises
    ------
    DecodeError
        (a RuntimeError) if the file is not a settings file of CoMPASS.
    RuntimeError
        if both are missing.
    """
    if compass_config_file is not None:
        return as_struct(header_tree(read_settings(compass_config_file), None))
    if wf_len is None:
        msg = "no settings file and no wf_len: give one of them"
        raise RuntimeError(msg)
    return as_struct(header_tree(None, wf_len))
