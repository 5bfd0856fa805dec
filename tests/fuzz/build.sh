#!/usr/bin/env bash
# A build of its own in an empty directory, beside the one of the checkout:
#
#   tests/fuzz/build.sh sanitized DIRECTORY     with address and UB sanitizers
#   tests/fuzz/build.sh covered DIRECTORY       that tells libFuzzer where it goes
#
# Python is `python3`, or $PYTHON. A build that is there is replaced.
set -euo pipefail
kind=$1
mkdir -p "$2"
target=$(cd "$2" && pwd)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
# without what the checkout has built in another way
tar --exclude='*.so' --exclude='*.c' --exclude=__pycache__ --exclude=build \
    -cf - daq2lh5 tests tools setup.py pyproject.toml README.md | tar -xf - -C "$target"
cd "$target"
case $kind in
    sanitized) export DAQ2LH5_DEBUG=1 ;;
    covered) export CFLAGS="-g -fsanitize-coverage=trace-pc,trace-cmp ${CFLAGS:-}" ;;
    *) echo "sanitized or covered, not $kind" >&2; exit 2 ;;
esac
"${PYTHON:-python3}" setup.py build_ext --inplace --force
