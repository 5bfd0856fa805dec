"""Coverage-guided fuzzing of the kernels with atheris (extra `fuzz`).

    tests/fuzz/build.sh covered /tmp/covered
    PYTHONPATH=/tmp/covered python tests/fuzz/guided.py fcio -max_total_time=600

The kernels must be built so that they tell where they go, as above; then the options
of libFuzzer. What is found is written to the current directory; small inputs that lead
somewhere new to a folder that is given behind the target (libFuzzer's corpus).
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

COUNTERS = r"""
#include <dlfcn.h>
#include <stdint.h>
static uint8_t counters[1 << 17];
void __sanitizer_cov_trace_pc(void)
{
    uintptr_t pc = (uintptr_t)__builtin_return_address(0);
    uint8_t* c = &counters[(pc ^ pc >> 17) & ((1 << 17) - 1)];
    *c += *c != 255;
}
void start(void)
{
    void (*init)(uint8_t*, uint8_t*) =
        dlsym(RTLD_DEFAULT, "__sanitizer_cov_8bit_counters_init");
    if (init) init(counters, counters + sizeof counters);
}
"""
"""gcc calls a function at each edge; libFuzzer reads counters. In between is this."""


def load_counters(folder: str) -> ctypes.CDLL:
    """Build and load what counts the edges, in front of libFuzzer's own."""
    source, library = Path(folder) / "counters.c", Path(folder) / "counters.so"
    source.write_text(COUNTERS)
    command = ["gcc", "-O2", "-shared", "-fPIC", source, "-o", library, "-ldl"]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)


def main() -> None:
    """Fuzz the target that the first argument names."""
    with tempfile.TemporaryDirectory() as folder:
        counters = load_counters(folder)
    # the kernels find what they call in libFuzzer
    sys.setdlopenflags(sys.getdlopenflags() | os.RTLD_GLOBAL)
    import atheris
    from atheris import core_with_libfuzzer  # noqa: F401

    counters.start()
    sys.setdlopenflags(sys.getdlopenflags() & ~os.RTLD_GLOBAL)
    from fuzz import targets

    targets.quiet()
    name, *options = sys.argv[1:]
    target = targets.TARGETS[name]
    with tempfile.TemporaryDirectory() as corpus:
        for i, seed in enumerate(targets.seeds(name)):
            (Path(corpus) / f"seed{i}").write_bytes(seed)
        own = targets.CORPUS / name
        folders = [o for o in options if not o.startswith("-")]
        rest = [o for o in options if o.startswith("-")]
        folders += [corpus, *([str(own)] if own.is_dir() else [])]
        atheris.Setup([sys.argv[0], *rest, *folders], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
