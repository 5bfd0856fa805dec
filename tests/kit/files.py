"""Inputs as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write(tmp_path: Path, data: bytes, name: str = "run") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path
