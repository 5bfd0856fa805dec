"""Converted runs for the tests with other packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kit.generators import runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def sources(tmp_path_factory) -> list[Path]:
    """Two runs."""
    folder = tmp_path_factory.mktemp("runs")
    return [runs.write_run(folder / f"run{seed}.fcio", seed) for seed in (1, 2)]


@pytest.fixture(scope="session")
def converted(sources, tmp_path_factory) -> Callable[..., list[Path]]:
    """Return the files of both runs, by kind and converter."""
    folder = tmp_path_factory.mktemp("converted")
    made: dict[tuple[str, str], list[Path]] = {}

    def files(kind: str, who: str = "ours") -> list[Path]:
        convert = runs.convert if who == "ours" else runs.convert_by_peer
        if (kind, who) not in made:
            names = [folder / f"{who}_{kind}_{source.stem}.lh5" for source in sources]
            made[kind, who] = [
                convert(source, kind, name)
                for source, name in zip(sources, names, strict=True)
            ]
        return made[kind, who]

    return files
