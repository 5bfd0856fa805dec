"""Signal processing by kernels of this package, without dspeed.

During conversion, production uses two processors of dspeed: ``presum`` and
``saturation``. Kernels of this package run a `dsp_config` that has only these two, in
their usual form, with the same results to the last bit. dspeed runs all others.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from ..buffers.column import Field
from ._kernels import largest_exact_factor, reduce_waveforms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["NativeChain"]

MODULE = "dspeed.processors"

UNITS = (None, "ADC")
"""Units of results that dspeed keeps; it converts units of time."""

TIME_UNITS = ("ns", "ms", "s")
"""Units of sampling periods that dspeed spells like this too."""

SAMPLE_TYPES = tuple(
    map(np.dtype, ("uint8", "int8", "uint16", "int16", "uint32", "int32"))
)


@dataclass(frozen=True)
class Presum:
    """Sums of neighbouring samples.

    Attributes
    ----------
    source, rate, output
        names of the waveform, of the number of samples in a sum, and of the sums.
    mean
        whether sums are divided by the number of their samples.
    length, whole
        samples of the waveform for one sample of the output, and whether the division
        of the number of samples by it is an integer division.
    period
        sampling period of the output in that of the waveform.
    dtype
        type of the sums if it is given.
    unit
        unit of the sums.
    """

    source: str
    rate: str
    output: str
    mean: bool
    length: float
    whole: bool
    period: float
    dtype: np.dtype | None
    unit: str | None

    @property
    def names(self) -> set[str]:
        """Names of the results."""
        return {self.rate, self.output}

    def n_sums(self, samples: int) -> int:
        """Return how many sums there are."""
        if self.whole:
            return int(samples // self.length)
        return int(samples / self.length)

    def total(self, samples: np.dtype) -> np.dtype:
        """Return the type of the sums, for the type of the samples."""
        return self.dtype or _float_for(samples)


@dataclass(frozen=True)
class Saturation:
    """Numbers of the samples with the smallest and the largest value.

    Attributes
    ----------
    source, low, high
        names of the waveform and of the two numbers.
    bits
        bits of the digitizer.
    unit
        unit of the numbers.
    """

    source: str
    low: str
    high: str
    bits: int
    unit: str | None

    @property
    def names(self) -> set[str]:
        """Names of the results."""
        return {self.low, self.high}

    @property
    def largest(self) -> int:
        """Largest value of a sample as dspeed computes it: less than all bits set."""
        return 2**self.bits - self.bits


@dataclass(frozen=True)
class NativeChain:
    """A chain of processors that the kernels of this package run.

    Attributes
    ----------
    outputs
        names of the results, in order.
    presums, saturations
        the processors.
    """

    outputs: tuple[str, ...]
    presums: tuple[Presum, ...]
    saturations: tuple[Saturation, ...]

    @classmethod
    def of(cls, config: dict[str, Any]) -> NativeChain | None:
        """Return the chain for a `dsp_config`; None if dspeed must run it."""
        nodes = config.get("processors")
        outputs = config.get("outputs")
        if not isinstance(nodes, dict) or not isinstance(outputs, (list, tuple)):
            return None
        processors = [_recognize(key, node) for key, node in nodes.items()]
        if None in processors:
            return None
        names = [name for p in processors for name in p.names]
        sources = {p.source for p in processors}
        if len(set(names)) < len(names) or sources.intersection(names):
            return None
        if not set(outputs) <= set(names) or len(set(outputs)) < len(outputs):
            return None
        wanted = [p for p in processors if p.names.intersection(outputs)]
        return cls(
            tuple(outputs),
            tuple(p for p in wanted if isinstance(p, Presum)),
            tuple(p for p in wanted if isinstance(p, Saturation)),
        )

    @property
    def sources(self) -> list[str]:
        """Names of the columns that it needs."""
        return list({p.source: None for p in (*self.presums, *self.saturations)})

    def describe(self, sources: Mapping[str, Field]) -> dict[str, Field] | None:
        """Return the new columns by name; None if dspeed must run the chain.

        Parameters
        ----------
        sources
            the table's columns by name.
        """
        if not all(_is_plain(sources[name]) for name in self.sources):
            return None
        fields = {}
        for p in self.presums:
            source = sources[p.source]
            total = p.total(source.dtype)
            n_sums = p.n_sums(source.width)
            if not 0 < n_sums <= source.width:
                return None
            if not np.can_cast(source.dtype, total):
                return None
            units = {} if p.unit is None else {"units": p.unit}
            time = {"units": source.member_attrs["dt"]["units"]}
            fields[p.rate] = Field(p.rate, "scalar", total, attrs=units)
            fields[p.output] = Field(
                p.output,
                "waveform",
                total,
                n_sums,
                # lh5 reads no second chunk of a waveform whose group has attributes
                member_attrs={"values": units, "t0": time, "dt": time},
            )
        for s in self.saturations:
            units = {} if s.unit is None else {"units": s.unit}
            dtype = _float_for(sources[s.source].dtype)
            for name in (s.low, s.high):
                fields[name] = Field(name, "scalar", dtype, attrs=units)
        return {name: fields[name] for name in self.outputs}

    def run(
        self,
        arrays: Mapping[str, np.ndarray],
        n: int,
        wanted: Mapping[str, np.dtype] | None = None,
    ) -> dict[str, np.ndarray]:
        """Process the first `n` rows.

        Parameters
        ----------
        arrays
            arrays of the columns, by path.
        n
            number of rows.
        wanted
            types that arrays will be converted to, by path; arrays get them at once
            if that gives the same values.

        Returns
        -------
        arrays
            new arrays of `n` rows, by path.
        """
        results: dict[str, np.ndarray] = {}
        for source in self.sources:
            values = arrays[f"{source}/values"][:n]
            presums = [p for p in self.presums if p.source == source]
            saturations = [s for s in self.saturations if s.source == source]
            for p, s in zip_longest(presums, saturations):
                arguments: dict[str, Any] = {}
                if p is not None:
                    sums = _make_sums(
                        p, values, (wanted or {}).get(f"{p.output}/values")
                    )
                    arguments |= {"sums": sums, "mean": p.mean}
                    rate = values.shape[1] // sums.shape[1]
                    results[p.rate] = np.full(n, rate, p.total(values.dtype))
                    results[f"{p.output}/values"] = sums
                    t0, dt = (arrays[f"{source}/{m}"][:n] for m in ("t0", "dt"))
                    results[f"{p.output}/t0"] = t0.astype(np.float32)
                    results[f"{p.output}/dt"] = (dt * p.period).astype(np.float32)
                if s is not None:
                    low, high = np.empty(n, np.uint32), np.empty(n, np.uint32)
                    arguments |= {"high": s.largest, "n_low": low, "n_high": high}
                reduce_waveforms(values, **arguments)
                if s is not None:
                    dtype = _float_for(values.dtype)
                    results |= {s.low: low.astype(dtype), s.high: high.astype(dtype)}
        return {
            path: array
            for path, array in results.items()
            if path.partition("/")[0] in self.outputs
        }


def _make_sums(p: Presum, values: np.ndarray, wanted: np.dtype | None) -> np.ndarray:
    """Return an array for presummed waveforms."""
    n, samples = values.shape
    n_sums = p.n_sums(samples)
    total = p.total(values.dtype)
    if (
        wanted == np.uint32
        and values.dtype.kind == "u"
        and not p.mean
        and samples // n_sums <= largest_exact_factor(values.dtype, np.float32)
    ):
        total = wanted
    return np.empty((n, n_sums), total)


def _float_for(samples: np.dtype) -> np.dtype:
    """Return the type in which dspeed computes: it holds all samples exactly."""
    return np.dtype(np.float32 if samples.itemsize <= 2 else np.float64)


def _is_plain(source: Field) -> bool:
    """Whether a column has waveforms that the kernels can process."""
    if source.kind != "waveform" or source.dtype not in SAMPLE_TYPES:
        return False
    units = {source.member_attrs[m].get("units") for m in ("t0", "dt")}
    # counters of dspeed hold 24 bits
    return len(units) == 1 and units <= set(TIME_UNITS) and source.width < 2**24


def _recognize(key: str, node: Any) -> Presum | Saturation | None:
    """Return the processor that an entry of a `dsp_config` describes."""
    if not isinstance(node, dict) or not set(node) <= {
        "function",
        "module",
        "args",
        "unit",
    }:
        return None
    function = node.get("function")
    if "module" in node:
        function = f"{node['module']}.{function}"
    args = node.get("args")
    unit = node.get("unit")
    if not isinstance(args, list) or len(args) != 4 or unit not in UNITS:
        return None
    found: Presum | Saturation | None = None
    if function == f"{MODULE}.presum":
        found = _presum(args, unit)
    elif function == f"{MODULE}.saturation":
        found = _saturation(args, unit)
    names = [name for name in re.split(",| ", key) if name]
    if found is None or len(names) != 2 or set(names) != found.names:
        return None
    return found


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isidentifier()


def _is_number(value: Any, allowed: Iterable[float]) -> bool:
    return type(value) in (int, float) and value in allowed


def _saturation(args: list, unit: str | None) -> Saturation | None:
    source, bits, low, high = args
    if not all(map(_is_name, (source, low, high))) or not _is_number(
        bits, range(1, 33)
    ):
        return None
    return Saturation(source, low, high, int(bits), unit)


def _presum(args: list, unit: str | None) -> Presum | None:
    source, mean, rate, output = args
    if not (_is_name(source) and _is_name(rate) and _is_number(mean, (0, 1))):
        return None
    try:
        call = ast.parse(output, mode="eval").body
    except (SyntaxError, TypeError, ValueError):
        return None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return None
    keywords = {k.arg: k.value for k in call.keywords}
    if call.args or not {"shape", "period", "offset"} <= set(keywords) <= {
        "shape",
        "period",
        "offset",
        "dtype",
    }:
        return None
    length = _match(
        keywords["shape"],
        (f"len({source}) // N", f"len({source}) / N"),
    )
    period = _match(
        keywords["period"],
        (f"{source}.period * N", f"N * {source}.period", f"{source}.period"),
    )
    offset = _match(keywords["offset"], (f"{source}.offset",))
    dtype = None
    if "dtype" in keywords:
        node = keywords["dtype"]
        name = node.value if isinstance(node, ast.Constant) else None
        if name not in ("f", "d", "float32", "float64"):
            return None
        dtype = np.dtype(name)
    if length is None or period is None or offset is None:
        return None
    whole = length[0] == 0
    return Presum(
        source, rate, call.func.id, bool(mean), length[1], whole, period[1], dtype, unit
    )


def _match(node: ast.expr, forms: tuple[str, ...]) -> tuple[int, float] | None:
    """Compare an expression with forms of it, in which N is a positive number.

    Returns
    -------
    form, number
        number of the form that it has, and N (1 if the form has none).
    """
    for i, form in enumerate(forms):
        numbers: list[float] = []
        if _alike(node, ast.parse(form, mode="eval").body, numbers):
            return i, numbers[0] if numbers else 1
    return None


def _alike(node: Any, form: Any, numbers: list[float]) -> bool:
    """Compare two syntax trees; numbers in the place of N are added to `numbers`."""
    if isinstance(form, ast.Name) and form.id == "N":
        value = node.value if isinstance(node, ast.Constant) else None
        if type(value) not in (int, float) or not 0 < value < 2**24:
            return False
        numbers.append(value)
        return True
    if type(node) is not type(form):
        return False
    if isinstance(form, ast.AST):
        return all(
            _alike(getattr(node, name), getattr(form, name), numbers)
            for name in form._fields
        )
    if isinstance(form, list):
        return len(node) == len(form) and all(
            _alike(a, b, numbers) for a, b in zip(node, form, strict=True)
        )
    return node == form
