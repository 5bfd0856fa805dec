"""Reading of JSON, YAML and TOML files, for users and the package."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import OutSpecError
from .resources.paths import expand_path

if TYPE_CHECKING:
    import os

log = logging.getLogger(__name__)

__file_extensions__ = {
    "json": [".json"],
    "yaml": [".yaml", ".yml"],
    "toml": [".toml"],
}

MAX_DEPTH = 100
"""Deepest nesting of lists and dictionaries in a file."""

MAX_VALUES = 500_000
"""Largest number of values in a file, with YAML's aliases resolved."""

MAX_BYTES = 2**24
"""Largest size of a file; a larger one would take minutes to parse."""

MAX_SLOW_BYTES = 2**20
"""Size of a file in YAML or TOML, which are read more slowly."""

MAX_BRACKETS = 200_000
"""Lists and dictionaries in a JSON file."""

MAX_NODES = 50_000
"""Values in a YAML file before aliases are resolved: reading 10,000 takes a second."""


def file_type(name: str | os.PathLike[str]) -> str | None:
    """Return the type of a file by its extension, in any spelling."""
    ending = Path(name).suffix.lower()
    for known, endings in __file_extensions__.items():
        if ending in endings:
            return known
    return None


def is_spec_file(name: str | os.PathLike[str]) -> bool:
    """Whether a file has an extension of JSON, YAML or TOML."""
    return file_type(name) is not None


def load_dict(fname: str | os.PathLike[str], ftype: str | None = None) -> Any:
    """Read a dictionary from a JSON, YAML or TOML file.

    Parameters
    ----------
    fname
        name of the file; ``~`` and environment variables are expanded.
    ftype
        ``"json"``, ``"yaml"`` or ``"toml"``; by default the extension decides.

    Raises
    ------
    NotImplementedError
        if the file is of none of these types.
    OutSpecError
        (a ValueError) if it is not valid, or has a key twice.
    """
    path = Path(expand_path(fname))
    ftype = ftype or file_type(path)
    if ftype not in __file_extensions__:
        endings = ", ".join(e for known in __file_extensions__.values() for e in known)
        msg = f"{path}: unsupported file format (supported: {endings})"
        raise NotImplementedError(msg)
    log.debug("reading %s file %s", ftype, path)
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        msg = (
            f"{path} has {path.stat().st_size >> 20} MB; the limit for specifications "
            f"is {MAX_BYTES >> 20} MB"
        )
        raise OutSpecError(msg)
    return _parse(path, _text_of(path, path.read_bytes()), ftype)


def load_if_dict(fname: str | os.PathLike[str]) -> dict | None:
    """Read a dictionary from a text file of any name; None for other files."""
    path = Path(fname)
    if not path.is_file() or not 0 < path.stat().st_size <= MAX_BYTES:
        return None
    with path.open("rb") as f:
        head = f.read(512)
    # binary files, such as HDF5, have control characters
    if re.search(rb"[\x00-\x08\x0e-\x1f]", head) and head[:2] not in (
        b"\xff\xfe",
        b"\xfe\xff",
    ):
        return None
    try:
        text = _text_of(path, path.read_bytes())
    except OutSpecError:
        return None
    for ftype in ("json", "yaml", "toml"):
        try:
            found = _parse(path, text, ftype)
        except DuplicateKeyError:
            raise
        except (OutSpecError, NotImplementedError):
            continue
        if isinstance(found, dict):
            return found
    return None


class DuplicateKeyError(OutSpecError):
    """A dictionary has a key twice; the first value would be lost."""


def parse_json(text: str, name: str) -> Any:
    """Read JSON.

    Parameters
    ----------
    text
        the JSON.
    name
        its name in messages.

    Raises
    ------
    OutSpecError
        (a ValueError) if it is not valid.
    """
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        msg = f"{name} has more than {MAX_BRACKETS} lists and dictionaries"
        raise OutSpecError(msg)
    twice = False

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        found = dict(pairs)
        twice = twice or len(found) < len(pairs)
        return found

    try:
        value = json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        msg = f"{name} is nested too deeply"
        raise OutSpecError(msg) from None
    except ValueError as e:
        msg = f"{name} is not valid JSON: {e}"
        raise OutSpecError(msg) from e
    if twice:
        raise DuplicateKeyError(_duplicate_in_json(text, name))
    return value


def _text_of(path: Path, data: bytes) -> str:
    """Decode a file as UTF-8, or UTF-16 or -32 if its first bytes say so."""
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        msg = (
            f"{path} is not text in {e.encoding}: byte 0x{data[e.start]:02x} in line "
            f"{line}; save it as UTF-8"
        )
        raise OutSpecError(msg) from None


def _parse(path: Path, text: str, ftype: str) -> Any:
    """Parse a text, and check the depth and the number of the values."""
    parsers = {"json": parse_json, "yaml": _parse_yaml, "toml": _parse_toml}
    if ftype != "json" and len(text) > MAX_SLOW_BYTES:
        msg = (
            f"{path} has more than {MAX_SLOW_BYTES >> 20} MB: write long "
            "specifications as JSON"
        )
        raise OutSpecError(msg)
    value = parsers[ftype](text, str(path))
    left = [(value, 0)]
    count = 0
    while left:
        item, depth = left.pop()
        count += 1
        if depth > MAX_DEPTH:
            msg = f"{path} is nested too deeply: more than {MAX_DEPTH} levels"
            raise OutSpecError(msg)
        if count > MAX_VALUES:
            msg = f"{path} has more than {MAX_VALUES} values (do aliases multiply?)"
            raise OutSpecError(msg)
        if isinstance(item, (dict, list)):
            values = item.values() if isinstance(item, dict) else item
            left += [(v, depth + 1) for v in values]
    return value


def _duplicate_in_json(text: str, name: str) -> str:
    """Return a message about the first duplicate key in a valid JSON text."""
    objects: list[dict[str, int]] = []
    word = ""
    line = 1
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[{}\[\]:\n]', text):
        mark = token[0]
        if mark == "\n":
            line += 1
        elif mark in "{[":
            objects.append({})
        elif mark in "}]":
            objects.pop()
        elif mark == ":":
            key = json.loads(word)
            if key in objects[-1]:
                return _twice(name, key, objects[-1][key], line)
            objects[-1][key] = line
        else:
            word = mark
    msg = "no duplicate key found"
    raise AssertionError(msg)


def _twice(name: str, key: object, first: int, second: int) -> str:
    where = f"lines {first} and {second}" if first != second else f"line {first}"
    return f"{name}: a dictionary has the key '{key}' twice ({where})"


def _parse_toml(text: str, name: str) -> Any:
    try:
        import tomllib  # noqa: PLC0415  (of Python 3.11)
    except ImportError:
        try:
            import tomli as tomllib  # noqa: PLC0415
        except ImportError:
            msg = f"{name}: TOML needs Python 3.11 or the package tomli"
            raise NotImplementedError(msg) from None
    # each part of a dotted key takes as much memory and time as all before it
    without_texts = re.sub(
        r'"""(?s:.*?)"""|\'\'\'(?s:.*?)\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*',
        "x",
        text,
    )
    if re.search(rf"(?:[\w-]+[ \t]*\.[ \t]*){{{MAX_DEPTH},}}", without_texts):
        msg = f"{name} is nested too deeply: more than {MAX_DEPTH} levels"
        raise OutSpecError(msg)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as e:
        msg = f"{name} is not valid TOML: {e}"
        raise OutSpecError(msg) from e


def _parse_yaml(text: str, name: str) -> Any:
    import yaml  # noqa: PLC0415  (most conversions need none)

    class Loader(yaml.SafeLoader):
        """Refuses duplicate keys, and merges (``<<``) that multiply."""

        def __init__(self, stream: str) -> None:
            super().__init__(stream)
            self.flattened: set[yaml.Node] = set()
            self.n_merged = 0
            self.n_nodes = 0

        def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
            self.n_nodes += 1
            if self.n_nodes > MAX_NODES:
                msg = f"{name} has more than {MAX_NODES} values: write them as JSON"
                raise OutSpecError(msg)
            return super().compose_node(parent, index)

        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            if node in self.flattened:
                return
            self.flattened.add(node)
            places: dict[tuple[str, str], yaml.Mark] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if key.tag == "tag:yaml.org,2002:merge":
                    self.count_merged(value)
                elif isinstance(key, yaml.ScalarNode):
                    first = places.setdefault((key.tag, key.value), key.start_mark)
                    if first is not key.start_mark:
                        text = _twice(name, key.value, first.line + 1, line)
                        raise DuplicateKeyError(text)
            super().flatten_mapping(node)

        def fetch_flow_collection_start(self, token: type[yaml.Token]) -> None:
            # the scanner's time grows with every open bracket
            if self.flow_level > MAX_DEPTH:
                raise RecursionError
            super().fetch_flow_collection_start(token)

        def count_merged(self, value: yaml.Node) -> None:
            sequence = isinstance(value, yaml.SequenceNode)
            for node in value.value if sequence else [value]:
                if isinstance(node, yaml.MappingNode):
                    self.flatten_mapping(node)
                    self.n_merged += len(node.value)
            if self.n_merged > MAX_VALUES:
                msg = f"{name} has more than {MAX_VALUES} values (do merges multiply?)"
                raise OutSpecError(msg)

    try:
        return yaml.load(text, Loader)
    except OutSpecError:
        raise
    except RecursionError:
        msg = f"{name} is nested too deeply"
        raise OutSpecError(msg) from None
    except Exception as e:
        # PyYAML raises various types: a ValueError for a date like 2024-13-01
        problem = " ".join(str(e).split())
        mark = getattr(e, "problem_mark", None)
        if mark is not None:
            problem = f"{e.problem}: line {mark.line + 1} column {mark.column + 1}"
        msg = f"{name} is not valid YAML: {problem}"
        raise OutSpecError(msg) from e
