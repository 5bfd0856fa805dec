"""Codecs of waveforms: their names and parameters, and waveforms encoded by them.

The codecs are those of :mod:`lh5.compression` (LH5 format, 3), which decodes them. This
module does without importing it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._core.codecs import radware, uleb128
from ..errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    import lgdo

__all__ = ["Codec", "Encoded", "codec_of", "use_lh5_codecs"]

RADWARE, ULEB128 = "radware_sigcompress", "uleb128_zigzag_diff"
CLASSES = {"RadwareSigcompress": RADWARE, "ULEB128ZigZagDiff": ULEB128}
"""Names of lh5's classes, and of their codecs in files."""

SHIFT = "codec_shift"


class Encoded(NamedTuple):
    """Waveforms, encoded.

    Attributes
    ----------
    data
        bytes of all rows, one after the other.
    ends
        number of bytes up to the end of each row, int64.
    altered
        number of rows that differ when decoded: they have samples that do not fit.
    """

    data: np.ndarray
    ends: np.ndarray
    altered: int = 0

    def copy(self) -> Encoded:
        """Return a copy."""
        return Encoded(self.data.copy(), self.ends.copy(), self.altered)


@dataclass(frozen=True)
class Codec:
    """A codec with its parameters.

    Attributes
    ----------
    name
        ``"radware_sigcompress"`` or ``"uleb128_zigzag_diff"``.
    shift
        added to samples before they are encoded (by the former), so that they fit 16
        bits with sign: an integer of 32 bits, of any type.

    Raises
    ------
    ValueError
        for another name, or an invalid shift.
    """

    name: str
    shift: float = 0

    def __post_init__(self) -> None:
        if self.name not in CLASSES.values():
            hint = did_you_mean(self.name, (*CLASSES, *CLASSES.values()))
            msg = f"unknown codec of waveforms '{self.name}'{hint}"
            raise ValueError(msg)
        if not _is_int32(self.shift):
            msg = f"{SHIFT} of {self.name} is {self.shift!r}, not an integer of 32 bits"
            raise ValueError(msg)

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes of waveforms that are encoded."""
        shift = {SHIFT: self.shift} if self.name == RADWARE else {}
        return {"codec": self.name} | shift

    def check(self, dtype: np.dtype, n_samples: int, what: str) -> None:
        """Check that waveforms can be encoded.

        Parameters
        ----------
        dtype, n_samples
            of the waveforms.
        what
            their name, for the message.

        Raises
        ------
        ValueError
            if they cannot be encoded.
        """
        if dtype.kind not in "iu":
            msg = f"'{what}': {self.name} encodes integers, not {dtype}"
            raise ValueError(msg)
        if self.name == RADWARE and n_samples > radware.MAX_SAMPLES:
            msg = (
                f"'{what}': waveforms of {n_samples} samples are too long for "
                f"{self.name}, which has at most {radware.MAX_SAMPLES}; use "
                f"{ULEB128}"
            )
            raise ValueError(msg)

    def longest(self, dtype: np.dtype, n_samples: int) -> int:
        """Return the bytes that a waveform takes at most."""
        bounds = np.array([0, n_samples], np.int64)
        return self._room(bounds, n_samples, dtype.itemsize)

    def _room(self, bounds: np.ndarray, n_samples: int, itemsize: int) -> int:
        if self.name == RADWARE:
            return radware.room(bounds, n_samples)
        return uleb128.room(bounds, n_samples, itemsize)

    def encode(
        self,
        samples: np.ndarray,
        lengths: np.ndarray | None = None,
        room: Callable[[int], np.ndarray] | None = None,
    ) -> Encoded:
        """Encode waveforms, without the interpreter lock.

        Parameters
        ----------
        samples
            integers of any size: an array (rows, samples), or one array of all samples.
        lengths
            in the second case, the number of samples up to the end of each row.
        room
            returns an array of so many bytes to work in; by default it is allocated.

        Raises
        ------
        ValueError
            if these samples cannot be encoded.
        """
        if samples.ndim != (2 if lengths is None else 1):
            msg = f"samples of shape {samples.shape}: waveforms are rows of samples"
            raise ValueError(msg)
        width = samples.shape[-1] if lengths is None else 0
        self.check(samples.dtype, width, "samples")
        if lengths is None:
            bounds = np.arange(len(samples) + 1, dtype=np.int64) * width
        else:
            bounds = np.concatenate([[0], lengths]).astype(np.int64)
        # the kernels take samples of 16 bits and more
        dtype = np.promote_types(
            samples.dtype.newbyteorder("="), f"{samples.dtype.kind}2"
        )
        flat = np.ascontiguousarray(samples, dtype).reshape(-1)
        ends = np.empty(len(bounds) - 1, np.int64)
        size = self._room(bounds, len(flat), flat.itemsize)
        out = np.empty(size, np.uint8) if room is None else room(size)
        if self.name == RADWARE:
            altered = radware.encode(flat, bounds, int(self.shift), out, ends)
        else:
            altered = uleb128.encode(flat, bounds, out, ends)
        return Encoded(out[: ends[-1] if len(ends) else 0].copy(), ends, altered)


def codec_of(compression: object, what: str = "compression") -> Codec | None:
    """Return the codec that a ``compression`` attribute asks for.

    Parameters
    ----------
    compression
        a codec of :mod:`lh5.compression`; the expression that makes one
        (``"RadwareSigcompress(codec_shift=-32768)"``); its name; or a dictionary of its
        name (``"codec"``) and parameters. None for anything else, such as a filter of
        HDF5.
    what
        path of the column, for messages.

    Raises
    ------
    ValueError
        for an unknown codec or parameter.
    """
    try:
        return _codec_of(compression)
    except ValueError as e:
        msg = f"'{what}': {e}"
        raise ValueError(msg) from None


def use_lh5_codecs(obj: lgdo.LGDO) -> None:
    """Replace codecs in attributes by objects of lh5, which is about to write them."""
    import lgdo  # noqa: PLC0415  (the caller has an object of it already)
    from lh5 import compression  # noqa: PLC0415  (it is about to be used)

    if not isinstance(obj, lgdo.Struct):
        return
    for name, member in obj.items():
        use_lh5_codecs(member)
        if name == "values" and isinstance(obj, lgdo.WaveformTable):
            codec = codec_of(member.attrs.get("compression"), name)
            if codec is not None:
                member.attrs["compression"] = (
                    compression.RadwareSigcompress(codec.shift)
                    if codec.name == RADWARE
                    else compression.ULEB128ZigZagDiff()
                )


def _codec_of(compression: object) -> Codec | None:
    if isinstance(compression, str):
        return _codec_of_text(compression)
    if isinstance(compression, dict) and "codec" in compression:
        return _codec_with(compression)
    module = sys.modules.get("lh5.compression")
    if module is None or not isinstance(compression, module.WaveformCodec):
        return None
    return _codec_with(compression.asdict())


def _codec_of_text(text: str) -> Codec | None:
    """Return the codec that a string names; None if it looks like something else."""
    match = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", text)
    if match is None:
        return None
    name, arguments = match.groups()
    if arguments is None and name not in (*CLASSES, *CLASSES.values()):
        return None
    parameters: dict[str, Any] = {"codec": name}
    for argument in filter(None, (arguments or "").split(",")):
        key, _, value = argument.partition("=")
        try:
            # a float in the file, as from lh5
            parameters[key.strip()] = float(value)
        except ValueError:
            msg = f"'{argument.strip()}' in {text}: the parameter must be a number"
            raise ValueError(msg) from None
    return _codec_with(parameters)


def _codec_with(parameters: dict[str, Any]) -> Codec:
    """Make the codec that is called ``codec`` among its parameters."""
    name = str(parameters["codec"])
    codec = Codec(CLASSES.get(name, name), parameters.get(SHIFT, 0))
    for key in parameters:
        if key != "codec" and (codec.name != RADWARE or key != SHIFT):
            msg = f"{codec.name} has no parameter '{key}'"
            raise ValueError(msg)
    return codec


def _is_int32(number: Any) -> bool:
    limits = np.iinfo(np.int32)
    try:
        return bool(limits.min <= number <= limits.max) and int(number) == number
    except (TypeError, ValueError):
        return False
