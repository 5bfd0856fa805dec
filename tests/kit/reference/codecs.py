"""Encoders of waveforms, slow: written from the LH5 format, 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PROBE, BLOCK = 48, 128


def signed(number: int, bits: int) -> int:
    """Return the lowest bits of a number, as two's complement."""
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def radware(samples: Sequence[int], shift: int = 0) -> bytes:
    """Encode a waveform as section 3.1 says, step by step; the pad word is 0."""
    v = [signed(int(s) + shift, 16) for s in samples]
    n = len(v)
    words = [n % 65536]
    j = 0
    while j < n:
        probe = range(j, min(n, j + PROBE))
        low, high = min(v[k] for k in probe), max(v[k] for k in probe)
        steps = [v[k] - v[k - 1] for k in probe[1:]]
        d_low, d_high = min([16000, *steps]), max([-16000, *steps])
        absolute = high - low <= d_high - d_low
        if not absolute:
            low, high = d_low, d_high
        bits = 2
        while high - low > (1 << bits) - 1:
            bits += 1
        end = probe[-1] + 1
        while end < min(n, j + BLOCK):
            new = v[end] if absolute else v[end] - v[end - 1]
            if max(high, new) - min(low, new) > (1 << bits) - 1:
                break
            low, high = min(low, new), max(high, new)
            end += 1
        if absolute:
            words += [end - j, bits, low]
            body = [v[k] - low for k in range(j, end)]
        else:
            words += [end - j, bits + 32, v[j], low]
            body = [v[k] - v[k - 1] - low for k in range(j + 1, end)]
        text = "".join(f"{value:0{bits}b}" for value in body)
        text += "0" * (-len(text) % 16)
        words += [int(text[i : i + 16], 2) for i in range(0, len(text), 16)]
        j = end
    words += [0] * (len(words) % 2)
    return b"".join((w & 0xFFFF).to_bytes(2, "big") for w in words)


def uleb128(samples: Sequence[int]) -> bytes:
    """Encode a waveform as section 3.2 says."""
    out = bytearray()
    last = 0
    for s in samples:
        d = signed(int(s) - last, 32)
        z = ((d << 1) ^ (d >> 31)) & 0xFFFFFFFF
        while z >= 128:
            out.append(z & 0x7F | 0x80)
            z >>= 7
        out.append(z)
        last = int(s)
    return bytes(out)
