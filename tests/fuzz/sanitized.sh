#!/usr/bin/env bash
# The harness under the address and undefined-behaviour sanitizers of gcc:
#
#   tests/fuzz/sanitized.sh [OPTIONS OF run.py]
#   SANITIZED=DIRECTORY tests/fuzz/sanitized.sh ...     keeps the build there
#   HARNESS=round_trips.py tests/fuzz/sanitized.sh ...  another one of this directory
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}
build=${SANITIZED:-}
if [ -z "$build" ]; then
    build=$(mktemp -d "${TMPDIR:-/tmp}/daq2lh5-sanitized.XXXXXX")
    trap 'rm -rf "$build"' EXIT
fi
if [ -z "$(find "$build" -name '_kernel*.so' 2>/dev/null)" ]; then
    PYTHON=$python "$here/build.sh" sanitized "$build" >/dev/null
fi
# what is wrong ends the process: a worker's end is a failure of its input
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export PYTHONPATH=$build PYTHONMALLOC=malloc
preload="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
harness=${HARNESS:-run.py}
if [ "$harness" = run.py ]; then
    set -- --no-memory-limit "$@"
fi
LD_PRELOAD=$preload "$python" "$build/tests/fuzz/$harness" "$@"
