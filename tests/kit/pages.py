"""Pages of the documentation, run as they stand: commands, files, and Python."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
from pathlib import Path

from kit.places import ENVIRONMENT, REPOSITORY

PAGES = REPOSITORY / "docs" / "source"

INSTALL = ("git", "cd", "python3", "pip")
"""Commands that are not run: the continuous integration installs by README.md."""

CODE = {
    "daq2lh5": "from daq2lh5.cli import main; main()",
    "lh5ls": "from lh5.cli import lh5ls; lh5ls()",
}
"""Commands as modules of the Python that runs the tests."""

ESCAPES = re.compile(r"\x1b\[\d*m")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return ``(kind, text)`` of the blocks: console, files, and Python."""
    found = re.findall(
        r"^\.\. code-block:: (console|yaml)\n((?:   :\S+: .*\n)*)\n"
        r"((?:(?:   .*)?\n)+)|^(>>> (?:.+\n)+)",
        page.read_text("utf-8"),
        re.MULTILINE,
    )
    result = []
    for kind, options, text, python in found:
        caption = re.search(r":caption: (\S+)", options)
        name = caption[1] if caption else kind or "python"
        result.append((name, python or re.sub(r"^   ", "", text, flags=re.M)))
    return result


def commands(console: str) -> list[tuple[list[str], str]]:
    """Return the commands of a block, each with its output."""
    parts = re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]
    return [
        (shlex.split(line), output.strip("\n"))
        for line, _, output in (part.partition("\n") for part in parts)
    ]


def run(command: list[str], cwd: Path) -> str:
    """Run a command, whose input may be damaged; return its output."""
    done = subprocess.run(
        [sys.executable, "-c", CODE[command[0]], *command[1:]],
        cwd=cwd,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, 3), done.stderr
    lines = ESCAPES.sub("", done.stdout).splitlines()
    return "\n".join(line.rstrip() for line in lines)


def as_shown(output: str, shown: str) -> bool:
    """Whether an output is as shown on the page, where "..." stands for any text."""
    pattern = ".*".join(map(re.escape, shown.split("...")))
    return re.fullmatch(pattern, output, re.DOTALL) is not None


def run_page(page: Path, folder: Path) -> tuple[list[str], int]:
    """Run a page in a folder, the working directory.

    Returns
    -------
    names, n_statements
        names of the commands, and the number of statements in Python.
    """
    ran = []
    variables: dict = {}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for name, text in blocks(page):
        if name == "console":
            for command, shown in commands(text):
                if command[0] not in INSTALL:
                    output = run(command, folder)
                    assert as_shown(output, shown), output
                    ran.append(command[0])
        elif name == "python":
            test = doctest.DocTestParser().get_doctest(text, variables, name, "", 0)
            runner.run(test, clear_globs=False)
            variables = test.globs
        elif name != "yaml":
            Path(name).write_text(text, "utf-8")
    assert runner.failures == 0
    return ran, runner.tries
