"""Small helpers that the user's scripts share with the package."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from .errors import OutSpecError

log = logging.getLogger(__name__)

__file_extensions__ = {"json": [".json"], "yaml": [".yaml", ".yml"]}


def is_spec_file(name: str) -> bool:
    """Whether a file name ends like a JSON or YAML file."""
    return any(name.endswith(e) for exts in __file_extensions__.values() for e in exts)


def load_dict(fname: str, ftype: str | None = None) -> dict[str, Any]:
    """Read a dictionary from a JSON or YAML file.

    Parameters
    ----------
    fname
        name of the file.
    ftype
        ``"json"`` or ``"yaml"``; by default the extension decides.

    Raises
    ------
    NotImplementedError
        if the file is of neither type.
    OutSpecError
        (a ValueError) if it is not valid.
    """
    path = Path(fname)
    if ftype is None:
        for known, extensions in __file_extensions__.items():
            if path.suffix in extensions:
                ftype = known
    log.debug("reading %s file %s", ftype, path)
    if ftype not in __file_extensions__:
        endings = ", ".join(e for known in __file_extensions__.values() for e in known)
        msg = f"{path}: unsupported file format (there are {endings})"
        raise NotImplementedError(msg)
    text = path.read_text()
    if ftype == "json":
        try:
            return json.loads(text)
        except ValueError as e:
            msg = f"{path} is not valid JSON: {e}"
            raise OutSpecError(msg) from e
    import yaml  # noqa: PLC0415  (most conversions need none)

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as e:
        msg = f"{path} is not valid YAML: {e}"
        raise OutSpecError(msg) from e
