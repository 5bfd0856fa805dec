"""The quick start, run as it stands there: commands, files, and what they print."""

import doctest
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kit.places import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "source" / "quickstart.rst"
if not PAGE.exists():
    pytest.skip("the documentation is not here", allow_module_level=True)

# what a shell does to install: the continuous integration does that by README.md
INSTALL = ("git", "cd", "python3", "pip")
# the commands, as modules of the python that runs the tests
CODE = {
    "daq2lh5": "from daq2lh5.cli import main; main()",
    "lh5ls": "from lh5.cli import lh5ls; lh5ls()",
}
ESCAPES = re.compile(r"\x1b\[\d*m")


def blocks() -> list[tuple[str, str]]:
    """Return ``(kind, text)`` of the blocks: of the console, files, and of Python."""
    found = re.findall(
        r"^\.\. code-block:: (console|yaml)\n((?:   :\S+: .*\n)*)\n"
        r"((?:(?:   .*)?\n)+)|^(>>> (?:.+\n)+)",
        PAGE.read_text("utf-8"),
        re.MULTILINE,
    )
    result = []
    for kind, options, text, python in found:
        caption = re.search(r":caption: (\S+)", options)
        name = caption[1] if caption else kind or "python"
        result.append((name, python or re.sub(r"^   ", "", text, flags=re.M)))
    return result


def commands(console: str) -> list[tuple[list[str], str]]:
    """Return the commands of a block, each with what it prints."""
    parts = re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]
    return [
        (shlex.split(line), output.strip("\n"))
        for line, _, output in (part.partition("\n") for part in parts)
    ]


def run(command: list[str], cwd: Path) -> str:
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
    assert done.returncode == 0, done.stderr
    lines = ESCAPES.sub("", done.stdout).splitlines()
    return "\n".join(line.rstrip() for line in lines)


def as_shown(output: str, shown: str) -> bool:
    """Whether an output is the one that the page shows, where "..." is any text."""
    pattern = ".*".join(map(re.escape, shown.split("...")))
    return re.fullmatch(pattern, output) is not None


def test_the_page_as_it_stands(tmp_path, monkeypatch):
    """A user who types it all, in a checkout, sees what the page shows."""
    monkeypatch.chdir(tmp_path)
    data = Path("examples/data/sample.fcio")
    data.parent.mkdir(parents=True)
    shutil.copyfile(ROOT / data, data)
    # the examples in Python name a file of the user's
    shutil.copyfile(ROOT / data, "run1.fcio")
    ran = []
    variables: dict = {}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for name, text in blocks():
        if name == "console":
            for command, shown in commands(text):
                if command[0] not in INSTALL:
                    output = run(command, tmp_path)
                    assert as_shown(output, shown), output
                    ran.append(command[0])
        elif name == "python":
            test = doctest.DocTestParser().get_doctest(text, variables, name, "", 0)
            runner.run(test, clear_globs=False)
            variables = test.globs
        elif name != "yaml":
            Path(name).write_text(text, "utf-8")
    assert ran == ["daq2lh5", "lh5ls"] * 2
    assert runner.tries > 5
    assert runner.failures == 0
    assert Path("channels.lh5").exists()


@pytest.mark.parametrize(
    ("output", "same"), [("a 1 b", True), ("a b", False), ("a 1 b 2", False)]
)
def test_ellipses(output, same):
    assert as_shown(output, "a ... b") == same
