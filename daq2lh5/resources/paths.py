"""Expansion of ``~`` and environment variables in paths."""

from __future__ import annotations

import os
import re

URL_PREFIX = "file://"

LITERAL_DOLLAR = "\0"
"""Placeholder of a literal ``$``; paths cannot have this character."""

# (braces are doubled in templates)
_VARIABLE = re.compile(
    r"\$(?:(NAME)|\{(NAME)\}|\{\{(NAME)\}\})".replace("NAME", r"[A-Za-z_]\w*"),
    re.ASCII,
)


def expand_path(path: str | os.PathLike[str]) -> str:
    """Return a path with ``~`` and environment variables expanded.

    Names may contain ``$``: an existing path is returned unchanged, and an unset
    variable stays if it is part of an existing folder's name.

    Raises
    ------
    TypeError
        if it is not a path.
    ValueError
        if a variable is not set, or a user is unknown.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        msg = f"expected the name of a file, not a {type(path).__name__}: {path!r:.80}"
        raise TypeError(msg)
    text = os.fsdecode(path)
    if "\0" in text:
        msg = f"{text!r} is not a valid file name: it has a null byte"
        raise ValueError(msg)
    prefix = URL_PREFIX if text.startswith(URL_PREFIX) else ""
    text = text.removeprefix(prefix)
    if "$" in text and not os.path.lexists(text):
        text = expand_variables(text)
    return prefix + expand_home(text)


def identity(name: str | os.PathLike[str]) -> tuple[int, int] | str:
    """Return a key that all names of one file share, hard links and URLs included."""
    text = os.fsdecode(name)
    if text == "-":
        return text
    path = text.removeprefix(URL_PREFIX)
    try:
        status = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return status.st_dev, status.st_ino


def expand_variables(
    text: str, *, template: bool = False, lenient: bool = False
) -> str:
    """Return a path with environment variables expanded.

    Parameters
    ----------
    text
        the path.
    template
        whether the result is a template, in which literal braces are doubled.
    lenient
        keep unset variables as text.
    """
    out: list[str] = []
    end = 0
    for found in _VARIABLE.finditer(text):
        out.append(text[end : found.start()])
        end = found.end()
        name = found[found.lastindex or 0]
        value = os.environ.get(name)
        if value is not None:
            value = value.replace("$", LITERAL_DOLLAR)
            out.append(escape(value) if template else value)
            continue
        folder = "".join(out) + found[0] + text[end:].partition("/")[0]
        if not (lenient or os.path.isdir(literal(folder))):
            msg = f"the environment variable '{name}' in '{literal(text)}' is not set"
            raise ValueError(msg)
        out.append(found[0])
    return literal("".join(out) + text[end:])


def bound_variables(template: str) -> str:
    """Return a template with braces around variables in front of a field.

    ``$FOLDER{run}`` is the variable FOLDER and the keyword run.
    """
    return re.sub(r"\$([A-Za-z_]\w*)(?=\{)", r"${{\1}}", template, flags=re.ASCII)


def expand_home(text: str) -> str:
    """Return a path with a ``~`` at its start expanded."""
    if not text.startswith("~"):
        return text
    user = text.partition("/")[0]
    if user != "~" and (user == text or os.path.exists(user)):
        return text  # a file name that begins with ~
    expanded = os.path.expanduser(text)
    if expanded.startswith("~"):
        what = "your home folder is" if user == "~" else f"the user '{user[1:]}' is"
        msg = f"'{text}': {what} not known"
        raise ValueError(msg)
    return expanded


def literal(text: str) -> str:
    """Replace the placeholders of ``$``."""
    return text.replace(LITERAL_DOLLAR, "$")


def escape(text: str) -> str:
    """Double braces, which :meth:`str.format` turns back."""
    return text.replace("{", "{{").replace("}", "}}")
