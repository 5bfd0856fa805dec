"""Build of the compiled modules; all other metadata is in pyproject.toml.

``DAQ2LH5_DEBUG=1`` builds with bounds checks, annotated sources and the
address and undefined-behaviour sanitizers (see docs, "Cython here").
"""

import importlib
import multiprocessing
import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

CORES = os.cpu_count() or 1
# a process that is spawned would run this file again
FORKS = multiprocessing.get_start_method() == "fork"
DEBUG = os.environ.get("DAQ2LH5_DEBUG", "0") not in ("", "0")

MODULES = (
    "daq2lh5._core.binding",
    "daq2lh5._core.kernel",
    "daq2lh5._core.sink",
    "daq2lh5._core.codecs.chunks",
    "daq2lh5._core.codecs.deflate",
    "daq2lh5._core.codecs.radware",
    "daq2lh5._core.codecs.uleb128",
    "daq2lh5.processing._kernels",
    "daq2lh5.reading.holes",
    "daq2lh5.reading._read_ahead",
    "daq2lh5.fc._dead_time",
    "daq2lh5.fc._framing",
    "daq2lh5.fc._state",
    "daq2lh5.fc._rows",
    "daq2lh5.fc._tables",
    "daq2lh5.fc._kernel",
    "daq2lh5.orca.packets._framing",
    "daq2lh5.orca.packets._contents",
    "daq2lh5.orca.packets._evidence",
    "daq2lh5.orca.packets._damage",
    "daq2lh5.orca.flashcam._cards",
    "daq2lh5.orca.flashcam._streams",
    "daq2lh5.orca.flashcam._traces",
    "daq2lh5.orca.digitizers._channels",
    "daq2lh5.orca.digitizers._sis",
    "daq2lh5.orca.digitizers._gretina",
    "daq2lh5.orca.digitizers._caen",
    "daq2lh5.orca.digitizers._digitizers",
    "daq2lh5.orca._kernel",
    "daq2lh5.compass._framing",
    "daq2lh5.compass._kernel",
    "daq2lh5.llama._framing",
    "daq2lh5.llama._chunks",
    "daq2lh5.llama._kernel",
    "daq2lh5.mgdo._framing",
    "daq2lh5.mgdo._kernel",
)

directives = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "embedsignature": True,
}

# -fwrapv: times of damaged records may overflow; that must stay defined
compile_args = ["-Wall", "-Wno-unused-function", "-fwrapv"]
link_args = []
if DEBUG:
    compile_args += ["-O1", "-g", "-fsanitize=address,undefined"]
    link_args += ["-fsanitize=address,undefined"]
else:
    compile_args += ["-O3"]

# the generators are scripts beside this one, in a folder that is no package
sys.path.insert(0, str(Path(__file__).resolve().parent / "tools"))
for generator in ("gen_columns", "gen_wire"):
    importlib.import_module(generator).write_all()

extensions = [
    Extension(
        name,
        [name.replace(".", "/") + ".pyx"],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
        depends=[str(p) for p in Path("daq2lh5").rglob("*.px[di]")],
    )
    for name in MODULES
]

setup(
    ext_modules=cythonize(
        extensions,
        compiler_directives=directives,
        annotate=DEBUG,
        force="--force" in sys.argv,
        nthreads=CORES if FORKS else 0,
    ),
    options={"build_ext": {"parallel": CORES}},
)
