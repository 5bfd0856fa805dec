"""Write ``sample.fcio``, the small FCIO file that the examples read.

Run it as ``python examples/data/make_sample.py``: the same file comes out each time.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from kit.writers import fcio  # noqa: E402  (found through the line above)


def main() -> None:
    """Write the file beside this script."""
    path = HERE / "sample.fcio"
    records = fcio.write_stream(
        path,
        n_events=28,
        n_channels=6,
        n_samples=1000,
        kind=("event", "sparse"),
        status_every=12,
        deadtime=True,
        seed=1,
    )
    sys.stdout.write(f"{path.name}: {len(records)} records\n")


if __name__ == "__main__":
    main()
