"""The processing that a ``proc_spec`` asks for, parsed and checked."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import OutSpecError, did_you_mean, show
from ..utils import load_dict
from ..writing.codecs import codec_of

__all__ = ["OPERATIONS", "ProcSpec"]

OPERATIONS = (
    "window",
    "dsp_config",
    "dtype_conv",
    "drop",
    "compression",
    "hdf5_settings",
)
"""Operations, in the order in which they are done."""


@dataclass(frozen=True)
class Window:
    """Samples from `start` to `stop`, as in a Python slice, of column `source`."""

    source: str
    start: int
    stop: int
    output: str

    def width(self, samples: int) -> int:
        """Return the number of samples in a window of a waveform with `samples`."""
        return len(range(*slice(self.start, self.stop).indices(samples)))


@dataclass(frozen=True)
class ProcSpec:
    """The operations of a ``proc_spec`` (LH5 format, 4.3).

    Attributes
    ----------
    window
        the window to cut out, if any.
    dsp_config
        configuration of dspeed.
    dtype_conv
        types by path in the table.
    drop
        columns to leave out.
    compression, hdf5_settings
        settings for writing, by path in the table.
    unknown
        names of unknown operations.
    """

    window: Window | None = None
    dsp_config: dict[str, Any] | None = None
    dtype_conv: dict[str, np.dtype] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    compression: dict[str, Any] = field(default_factory=dict)
    hdf5_settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @classmethod
    def of(cls, spec: dict[str, Any] | str | ProcSpec) -> ProcSpec:
        """Check a specification.

        Parameters
        ----------
        spec
            the specification, or the name of a JSON or YAML file with it. A parsed one
            is returned as it is.

        Raises
        ------
        OutSpecError
            (a ValueError) if the specification is invalid.
        """
        if isinstance(spec, cls):
            return spec
        spec = _dictionary("proc_spec", spec)
        dsp = spec.get("dsp_config")
        return cls(
            window=_window(spec["window"]) if "window" in spec else None,
            dsp_config=None if dsp is None else _dictionary("dsp_config", dsp),
            dtype_conv={
                path: _dtype(path, name)
                for path, name in _by_path("dtype_conv", spec).items()
            },
            drop=_names("drop", spec.get("drop", [])),
            compression={
                path: _codec(path, codec)
                for path, codec in _by_path("compression", spec).items()
            },
            hdf5_settings={
                path: _settings(path, settings)
                for path, settings in _by_path("hdf5_settings", spec).items()
            },
            unknown=tuple(str(name) for name in spec if name not in OPERATIONS),
        )

    @property
    def warnings(self) -> list[str]:
        """A line for each part that has no effect."""
        return [
            f"proc_spec: unknown operation '{name}' ignored"
            + did_you_mean(name, OPERATIONS)
            for name in self.unknown
        ]


def _dictionary(name: str, value: Any) -> dict[str, Any]:
    """Return a dictionary, loaded from a file if a name is given."""
    if isinstance(value, (str, os.PathLike)):
        try:
            value = load_dict(value)
        except (OSError, ValueError, NotImplementedError) as e:
            msg = f"{name}: cannot read {show(os.fspath(value))}: {e}"
            raise OutSpecError(msg) from e
    if not isinstance(value, dict):
        msg = f"{name} is {show(value)}; expected a dictionary or the name of a file"
        raise OutSpecError(msg)
    return value


def _by_path(operation: str, spec: dict[str, Any]) -> dict[str, Any]:
    value = spec.get(operation, {})
    if not isinstance(value, dict):
        msg = f"proc_spec: {operation} must be a dictionary by path, not {show(value)}"
        raise OutSpecError(msg)
    return value


def _names(operation: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        msg = f"proc_spec: {operation} must be a list of names, not {show(value)}"
        raise OutSpecError(msg)
    return tuple(map(str, value))


def _window(value: Any) -> Window:
    try:
        source, start, stop, output = value
        return Window(str(source), int(start), int(stop), str(output))
    except (TypeError, ValueError):
        columns = "[column, start, stop, new column]"
        msg = f"proc_spec: window must be {columns}, not {show(value)}"
        raise OutSpecError(msg) from None


def _dtype(path: str, name: Any) -> np.dtype:
    try:
        dtype = np.dtype(name)
    except TypeError:
        dtype = np.dtype(object)
    if name is None or dtype.kind not in "biufc":
        msg = f"proc_spec: dtype_conv of '{path}': {show(name)} is not a numeric type"
        raise OutSpecError(msg)
    return dtype


def _codec(path: str, codec: Any) -> Any:
    """Check a codec that is given as text; the writer checks objects."""
    if not isinstance(codec, str):
        return codec
    try:
        known = codec_of(codec, path)
    except ValueError as e:
        msg = f"proc_spec: compression of {e}"
        raise OutSpecError(msg) from None
    if known is None:
        msg = (
            f"proc_spec: compression of '{path}': '{codec}' is not a waveform codec "
            "such as RadwareSigcompress(codec_shift=-32768); filters of HDF5 belong in "
            "hdf5_settings"
        )
        raise OutSpecError(msg)
    return codec


def _settings(path: str, settings: Any) -> dict[str, Any]:
    if not isinstance(settings, dict):
        what = f"hdf5_settings of '{path}'"
        msg = f"proc_spec: {what} must be a dictionary, not {show(settings)}"
        raise OutSpecError(msg)
    return settings
