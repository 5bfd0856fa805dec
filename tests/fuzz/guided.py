"""Coverage-guided fuzzing of the kernels with atheris (extra `fuzz`).

    tests/fuzz/build.sh covered /tmp/covered
    PYTHONPATH=/tmp/covered python tests/fuzz/guided.py fcio -max_total_time=600

The kernels must be built with coverage, as above. Further arguments are options of
libFuzzer. Failures are written to the current directory; inputs with new coverage to a
folder behind the target (libFuzzer's corpus).
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

COUNTERS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
static uint8_t counters[1 << 17];
void __sanitizer_cov_trace_pc(void)
{
    uintptr_t pc = (uintptr_t)__builtin_return_address(0);
    uint8_t* c = &counters[(pc ^ pc >> 17) & ((1 << 17) - 1)];
    *c += *c != 255;
}
#define COMPARISON(name, type)                       \
    static void (*to_##name)(type, type);            \
    void __sanitizer_cov_trace_##name(type a, type b) \
    {                                                \
        if (to_##name) to_##name(a, b);              \
    }
COMPARISON(cmp1, uint8_t)
COMPARISON(cmp2, uint16_t)
COMPARISON(cmp4, uint32_t)
COMPARISON(cmp8, uint64_t)
COMPARISON(const_cmp1, uint8_t)
COMPARISON(const_cmp2, uint16_t)
COMPARISON(const_cmp4, uint32_t)
COMPARISON(const_cmp8, uint64_t)
/* libFuzzer has nothing for these */
COMPARISON(cmpf, float)
COMPARISON(cmpd, double)
static void (*to_switch)(uint64_t, uint64_t*);
void __sanitizer_cov_trace_switch(uint64_t value, uint64_t* cases)
{
    if (to_switch) to_switch(value, cases);
}
#define FIND(name) to_##name = dlsym(core, "__sanitizer_cov_trace_" #name)
int start(const char* path)
{
    void* core = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    void (*init)(uint8_t*, uint8_t*);
    if (!core) return 1;
    FIND(cmp1); FIND(cmp2); FIND(cmp4); FIND(cmp8); FIND(switch);
    FIND(const_cmp1); FIND(const_cmp2); FIND(const_cmp4); FIND(const_cmp8);
    init = dlsym(core, "__sanitizer_cov_8bit_counters_init");
    init(counters, counters + sizeof counters);
    return 0;
}
"""
"""What gcc calls at each edge and comparison: libFuzzer reads counters, and is only
loaded when it starts."""


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
    import atheris
    from fuzz import targets

    targets.quiet()
    name, *options = sys.argv[1:]
    target = targets.TARGETS[name]
    (core,) = Path(atheris.__file__).parent.glob("core_with_libfuzzer*.so")
    started: list[bool] = []

    def run(data: bytes) -> None:
        if not started:
            if counters.start(bytes(core)):
                msg = "libFuzzer is not where it is looked for"
                raise RuntimeError(msg)
            started.append(True)
        target(data)

    folders = [o for o in options if not o.startswith("-")]
    rest = [o for o in options if o.startswith("-")]
    own = targets.CORPUS / name
    with tempfile.TemporaryDirectory() as corpus:
        for i, seed in enumerate(targets.seeds(name)):
            (Path(corpus) / f"seed{i}").write_bytes(seed)
        folders += [corpus, *([str(own)] if own.is_dir() else [])]
        atheris.Setup([sys.argv[0], *rest, *folders], run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
