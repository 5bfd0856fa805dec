"""`lh5` reads, joins and appends every table of every format, in pieces."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import h5py
import lh5
import pytest
from kit.compare import joined, same, whole
from kit.writers import compass, fcio, llama, orca
from lh5.cli import lh5concat_cli

import daq2lh5

if TYPE_CHECKING:
    from pathlib import Path


def orca_run(kinds: tuple[str, ...], **options) -> bytes:
    return orca.make_stream(kinds=kinds, n_events=12, n_samples=64, **options)


def compass_run(word: int) -> bytes:
    form = compass.form(word)
    return compass.file(form, compass.events(form, 20))


def llama_run() -> bytes:
    return llama.make_file([llama.Channel(), llama.Channel(fadc=1, channel=3)])[0]


INPUTS = {
    "fcio.fcio": lambda: fcio.make_stream(n_events=20, n_samples=64, fsp=True),
    "sparse.fcio": lambda: fcio.make_stream(n_events=20, n_samples=64, kind="sparse"),
    "flashcam.orca": lambda: orca_run(("flashcam",)),
    "fcio.orca": lambda: orca_run(("fcio",), fcio_options={"fsp": True}),
    "vme.orca": lambda: orca_run(VME),
    "compass.BIN": lambda: compass_run(0xCAED),
    "20240101-000000.bin": llama_run,
}
VME = tuple(kind for kind in orca.KINDS if kind not in ("flashcam", "fcio"))


def tables_of(file: Path) -> list[str]:
    """Return the paths of all outermost tables."""
    found: list[str] = []

    def visit(name: str, obj: h5py.HLObject) -> None:
        datatype = str(obj.attrs.get("datatype", ""))
        if datatype.startswith("table{") and not name.startswith(tuple(found)):
            found.append(f"{name}/")

    with h5py.File(file) as f:
        f.visititems(visit)
    return [name.rstrip("/") for name in found]


def check(file: Path, folder: Path) -> None:
    """Read a file twice in a row, joined and appended, in pieces."""
    twice, copy = folder / "twice.lh5", folder / "appended.lh5"
    shutil.copy(file, copy)
    again = folder / "again.lh5"
    shutil.copy(file, again)
    tables = [name for name in tables_of(file) if len(lh5.read(name, file))]
    assert tables
    chosen = [part for name in tables for part in ("-i", f"{name}/*")]
    lh5concat_cli(["-o", str(twice), *chosen, "--", str(file), str(again)])
    for name in tables:
        wanted = whole([file, again], name)
        iterator = lh5.LH5Iterator([str(file), str(again)], name, buffer_len=5)
        assert same(joined([joined([piece]) for piece in iterator]), wanted)
        assert same(lh5.read(name, [str(file), str(again)]), wanted)
        assert same(lh5.read(name, twice), wanted)
        lh5.write(lh5.read(name, again), name, copy, wo_mode="append")
        assert same(lh5.read(name, copy), wanted)


@pytest.mark.parametrize("name", INPUTS)
def test_all_tables(name, tmp_path):
    (tmp_path / name).write_bytes(INPUTS[name]())
    out = tmp_path / "out.lh5"
    daq2lh5.build_raw(tmp_path / name, out_spec=out)
    check(out, tmp_path)
