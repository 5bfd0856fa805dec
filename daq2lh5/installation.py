"""Whether the package is whole: legend-daq2lh5 has a package of the same name.

If both distributions are installed their files get mixed, and uninstalling one deletes
files of the other. This module says so. legend-daq2lh5 has none of its name, so that it
stays when the others are overwritten, and it needs nothing but the standard library.
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
    """Return where this distribution and the peer's are installed.

    The names of directories tell. To ask ``importlib.metadata`` takes 50 times as long,
    mostly to import it, and each import of the package would.
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

    The small distribution of that name that depends on this one has no modules, and
    does no harm.
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
        # as of no line of a file: one line is shown
        warnings.warn_explicit(text, UserWarning, "<daq2lh5>", 1)


def what_is_wrong() -> str | None:
    """Say why modules cannot be imported; None if nothing explains it."""
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
    """Start the command line ``daq2lh5``, or say why there is none."""
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
