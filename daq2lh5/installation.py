"""Detects conflicts with legend-daq2lh5, whose package has the same name.

If both distributions are installed their files get mixed, and uninstalling one deletes
files of the other. legend-daq2lh5 has no module of this name, so this one survives; it
needs the standard library only.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from pathlib import Path

PEER = "legend-daq2lh5"
WAY_OUT = (
    f"Way out: 'pip uninstall {PEER} daq2lh5', then install daq2lh5 again; see 'Moving "
    f"from {PEER}' in the documentation"
)


def _distributions() -> dict[str, Path]:
    """Return the metadata folders of this distribution and of legend-daq2lh5.

    Found by name: importing ``importlib.metadata`` takes 50 times as long, and every
    import of the package would pay for it.
    """
    found: dict[str, Path] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or os.curdir)
        except OSError:
            continue
        for name in names:
            match = re.fullmatch(r"((?:legend[-_.])?daq2lh5)-.+\.dist-info", name)
            if match:
                key = match[1].replace("_", "-").replace(".", "-")
                found.setdefault(key, Path(folder, name))
    return found


def _files(distribution: Path) -> list[str]:
    """Return the files of a distribution that are in the package."""
    try:
        lines = (distribution / "RECORD").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [line.split(",")[0] for line in lines if line.startswith("daq2lh5/")]


def peer_beside() -> str | None:
    """Return the version of legend-daq2lh5 if both are installed.

    Our own distribution of that name, which only depends on daq2lh5, has no modules and
    does not count.
    """
    found = _distributions()
    if "daq2lh5" not in found or PEER not in found or not _files(found[PEER]):
        return None
    return found[PEER].name.removesuffix(".dist-info").partition("-")[2]


def warn_of_peer() -> None:
    """Warn if both are installed."""
    version = peer_beside()
    if version is not None:
        text = (
            f"{PEER} {version} is installed, too, and has the same files: to uninstall "
            f"or update either breaks the other. {WAY_OUT}"
        )
        # without a source line: the warning is printed in one line
        warnings.warn_explicit(text, UserWarning, "<daq2lh5>", 1)


def what_is_wrong() -> str | None:
    """Return why modules cannot be imported; None if unknown."""
    version = peer_beside()
    if version is not None:
        return f"{PEER} {version} is installed over daq2lh5 and has replaced its files"
    own = _distributions().get("daq2lh5")
    missing = [f for f in _files(own) if not (own.parent / f).exists()] if own else []
    missing = [f for f in missing if not f.endswith(".pyc")]
    if missing:
        return (
            f"{len(missing)} files of daq2lh5 are missing ({missing[0]}, ...), as "
            f"after {PEER} was uninstalled"
        )
    return None


def main(**options: str) -> None:
    """Start the command line ``daq2lh5``, or explain why it cannot be imported."""
    try:
        from .cli import main as command_line  # noqa: PLC0415
    except ImportError:
        reason = what_is_wrong()
        if reason is None:
            raise
        sys.stderr.write(f"error: {reason}. {WAY_OUT}\n")
        sys.exit(2)
    try:
        command_line(**options)
    except OSError as e:
        from .cli_run import EXIT_FAILED, leave, say  # noqa: PLC0415  (seldom needed)

        say(f"error: standard output cannot be written: {e.strerror or e}")
        leave(EXIT_FAILED)
