"""A slow reader of llamaDAQ files, from the llamaDAQ format.

For sound files: anything else is an AssertionError.
"""

from __future__ import annotations

import datetime as dt
import re
import struct
from typing import Any

import numpy as np

FIELDS = (
    *("format_bits", "sample_start_index", "sample_pretrigger"),
    *("avg_sample_pretrigger", "avg_mode", "sample_length", "avg_sample_length"),
    *("maw_buffer_length", "event_length", "event_header_length"),
    *("accum6_offset", "accum2_offset", "maw3_offset", "energy_offset"),
)


def read_header(data: bytes) -> tuple[dict[str, int], dict[int, dict[str, Any]]]:
    """Read file header and configurations (format 1.1, 1.2)."""
    assert data[:4] == b"LArI"
    patch, minor, major, length, number = struct.unpack_from("<4HI", data, 4)
    assert length == 88
    head = {
        "version_major": major,
        "version_minor": minor,
        "version_patch": patch,
        "length_econf": length,
        "number_chOpen": number,
    }
    channels = {}
    for i in range(number):
        at = 16 + 88 * i
        fadc, channel, flags, offset = struct.unpack_from("<4I", data, at)
        frequency, gain = struct.unpack_from("<2d", data, at + 16)
        words = struct.unpack_from("<14I", data, at + 32)
        channels[16 * fadc + channel] = {
            "14_bit_flag": flags & 1,
            "adc_offset": offset,
            "sample_freq": frequency,
            "gain": gain,
            **dict(zip(FIELDS, words, strict=True)),
        }
    return head, channels


def time_of_name(name: str) -> float:
    """Take the time from a file name (format 2.2), as UTC."""
    found = re.findall(r"(?=(\d{8})[-T](\d{6}))", name)
    for date, time in reversed(found):
        try:
            when = dt.datetime.strptime(date + time, "%Y%m%d%H%M%S")
        except ValueError:
            return 0.0
        return when.replace(tzinfo=dt.timezone.utc).timestamp()
    return 0.0


def read_event(
    data: bytes, number: int, config: dict[str, Any], start: float
) -> dict[str, Any]:
    """Read one event (format 2): its row by column."""
    words = struct.unpack_from(f"<{len(data) // 4}I", data)
    dt_raw = 1 / config["sample_freq"] * 1000
    dt_avg = dt_raw * 2 ** (config["avg_mode"] + 1)
    ticks = (words[0] >> 16) * 2**32 + words[1]
    row: dict[str, Any] = {
        "packet_id": np.uint32(number),
        "fadc_channel_id": np.uint32(words[0] >> 4 & 0xFFF),
        "time_since_run_start": ticks * dt_raw * 1e-9,
    }
    row["unixtime"] = row["time_since_run_start"] + start
    row["unixtime_accuracy"] = 1.0
    bits = words[0] & 0xF
    assert bits == config["format_bits"] & 0xF
    at = 2
    if bits & 1:
        row["wf_max_sample_value"] = words[at] & 0xFFFF
        row["wf_max_sample_idx"] = words[at] >> 16
        row["info_bits"] = words[at + 1] >> 24
        row["cumsum_1"] = words[at + 1] & 0xFFFFFF
        for i in range(2, 7):
            row[f"cumsum_{i}"] = words[at + i]
        at += 7
    if bits & 2:
        row["cumsum_7"], row["cumsum_8"] = words[at : at + 2]
        at += 2
    if bits & 4:
        row["maw_max"], row["maw_before"], row["maw_after"] = words[at : at + 3]
        at += 3
    if bits & 8:
        row["start_energy"], row["max_energy"] = words[at : at + 2]
        at += 2
    status = words[at]
    at += 1
    row["fadc_status_bits"] = status >> 26 & 1
    n_raw = 2 * (status & 0x3FFFFFF)
    n_avg = counter = 0
    assert status >> 28 in (0xE, 0xA)
    if status >> 28 == 0xA:
        assert words[at] >> 28 == 0xE
        n_avg = 2 * (words[at] & 0xFFFF)
        counter = words[at] >> 16 & 0xFF
        at += 1
    samples = np.frombuffer(data, "<u2", n_raw + n_avg, 4 * at)
    if n_raw:
        row["waveform_windowed/values"] = samples[:n_raw]
        row["waveform_windowed/t0"] = np.float32(
            (config["sample_start_index"] - config["sample_pretrigger"]) * dt_raw
        )
        row["waveform_windowed/dt"] = dt_raw
    if n_avg:
        row["waveform_presummed/values"] = samples[n_raw:]
        row["waveform_presummed/t0"] = np.float32(
            -config["sample_pretrigger"] * dt_raw
            - config["avg_sample_pretrigger"] * dt_avg
            + counter * dt_raw
        )
        row["waveform_presummed/dt"] = dt_avg
    return row


def read_rows(data: bytes, name: str = "") -> dict[int, list[dict[str, Any]]]:
    """Read a file: rows by key."""
    _, channels = read_header(data)
    start = time_of_name(name)
    rows: dict[int, list[dict[str, Any]]] = {key: [] for key in channels}
    at = 16 + 88 * len(channels)
    number = 0
    while at < len(data):
        number += 1
        key = struct.unpack_from("<I", data, at)[0] >> 4 & 0xFFF
        end = at + 4 * channels[key]["event_length"]
        assert end <= len(data)
        rows[key].append(read_event(data[at:end], number, channels[key], start))
        at = end
    return rows
