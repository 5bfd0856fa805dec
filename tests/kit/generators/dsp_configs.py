"""Configurations of dspeed as production has them."""

from __future__ import annotations

from typing import Any


def presum_node(
    factor: int = 8,
    source: str = "waveform",
    output: str = "presummed",
    rate: str = "rate",
    mean: int = 0,
    division: str = "//",
    extra: str = "",
    **fields: Any,
) -> dict[str, Any]:
    """Describe a presummed waveform."""
    shape = f"shape=len({source}){division}{factor}"
    times = f"period={source}.period*{factor}, offset={source}.offset"
    return {
        "module": "dspeed.processors",
        "function": "presum",
        "args": [source, mean, rate, f"{output}({shape}, {times}{extra})"],
        "unit": "ADC",
    } | fields


def saturation_node(bits: Any = 16, source: str = "waveform", **fields: Any) -> dict:
    """Describe the counts of saturated samples."""
    return {
        "module": "dspeed.processors",
        "function": "saturation",
        "args": [source, bits, "low", "high"],
        "unit": "ADC",
    } | fields


def production(factor: int = 8, bits: int = 16, **fields: Any) -> dict[str, Any]:
    """Ask for what production asks for."""
    return {
        "outputs": ["rate", "presummed", "low", "high"],
        "processors": {
            "rate, presummed": presum_node(factor, **fields),
            "low, high": saturation_node(bits),
        },
    }


def proc_spec(start: int = 10, stop: int = 30, **more: Any) -> dict[str, Any]:
    """Ask for all operations of production but the codecs."""
    return {
        "window": ["waveform", start, stop, "windowed"],
        "dsp_config": production(),
        "dtype_conv": {
            "presummed/values": "uint32",
            "rate": "uint16",
            "low": "uint16",
            "high": "uint16",
        },
        "drop": ["waveform"],
    } | more
