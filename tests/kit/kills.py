"""Publishing in child processes that are killed, or fail, at one system call.

A program of its own, so that no test forks. It prints a line of JSON for each step.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from daq2lh5.publishing import naming
from daq2lh5.publishing.publish import Finished, publish
from daq2lh5.publishing.temporary import Temporary

HDF5 = b"\x89HDF\r\n\x1a\n"
OLD, NEW = HDF5 + b"old", HDF5 + b"new content"
CALLS = ("replace", "rename", "link", "unlink", "fsync", "open", "fchmod", "listdir")


def interpose(step: int, act) -> list[int]:
    """Call `act` instead of the step-th system call that changes something."""
    count = [0]

    def counted(call):
        def wrapper(*args, **kwargs):
            count[0] += 1
            if count[0] == step:
                act()
            return call(*args, **kwargs)

        return wrapper

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    naming._rename_noreplace = counted(naming._rename_noreplace)
    return count


def targets_in(folder: Path) -> list[Path]:
    """Two replaced files and a new one, in two folders."""
    return [folder / "a.lh5", folder / "other" / "b.lh5", folder / "c.lh5"]


def prepare(folder: Path, overwrite: bool, several: bool) -> list[Path]:
    (folder / "other").mkdir(parents=True)
    targets = targets_in(folder) if several else targets_in(folder)[:1]
    if overwrite:
        for target in targets[:2]:
            target.write_bytes(OLD)
    return targets


def publish_all(targets: list[Path], overwrite: bool) -> None:
    files = []
    for target in targets:
        temporary = Temporary(target)
        os.write(temporary.descriptor, NEW)
        files.append(Finished(target.name, target, temporary))
    try:
        publish(files, overwrite)
    except BaseException:
        for file in files:
            file.temporary.discard()
        raise
    for file in files:
        file.temporary.release()


def main() -> None:
    root, overwrite, several = Path(sys.argv[1]), sys.argv[2] == "-w", len(sys.argv) > 3
    for step in range(1, 200):
        folder = root / str(step)
        targets = prepare(folder, overwrite, several)
        child = os.fork()
        if child == 0:
            interpose(step, lambda: os.kill(os.getpid(), signal.SIGKILL))
            publish_all(targets, overwrite)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status)
        print(json.dumps({"folder": str(folder), "killed": killed}))
        if not killed:
            break


if __name__ == "__main__":
    main()
