"""The source tree: generated files are current, ignored, and tell their source."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from kit.places import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def generator():
    """The module that writes the C side of the column declarations."""
    path = REPOSITORY / "tools" / "gen_columns.py"
    spec = importlib.util.spec_from_file_location("gen_columns", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def generated() -> list[Path]:
    return sorted((REPOSITORY / "daq2lh5").glob("*/_columns.pxi"))


def git(*arguments: str) -> subprocess.CompletedProcess:
    if shutil.which("git") is None or not (REPOSITORY / ".git").exists():
        pytest.skip("no git checkout")
    return subprocess.run(
        ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


def members(text: str, table: str) -> set[str]:
    """Return the names of the columns in the struct of a table."""
    struct = text.split(f"cdef struct {table}Columns:")[1].split("\n\n", maxsplit=1)[0]
    return set(re.findall(r"^    Bound\w+ (\w+)$", struct, re.MULTILINE))


class TestColumns:
    def test_files_are_current(self, generator):
        """What the build wrote is what the declarations say now."""
        assert [p.parent.name for p in generated()] == sorted(generator.FORMATS)
        for path in generated():
            assert path.read_text() == generator.format_code(path.parent.name)

    def test_writing_again_changes_nothing(self, generator):
        """An unchanged file keeps its time, so that nothing is compiled anew."""
        before = {path: path.stat().st_mtime_ns for path in generated()}
        generator.write_all()
        assert {path: path.stat().st_mtime_ns for path in generated()} == before

    def test_a_changed_declaration_is_written(self, generator, tmp_path, monkeypatch):
        monkeypatch.setattr(generator, "ROOT", tmp_path)
        (tmp_path / "daq2lh5").mkdir()
        for path in generated():
            folder = path.parent.name
            shutil.copytree(path.parent, tmp_path / "daq2lh5" / folder)
        for name in ("__init__.py", "declaration.py"):
            path = tmp_path / "daq2lh5" / "buffers" / name
            path.parent.mkdir(exist_ok=True)
            shutil.copy(REPOSITORY / "daq2lh5" / "buffers" / name, path)
        (tmp_path / "daq2lh5" / "fc" / "_columns.pxi").unlink()
        generator.write_all()
        written = tmp_path / "daq2lh5" / "fc" / "_columns.pxi"
        same = REPOSITORY / "daq2lh5" / "fc" / "_columns.pxi"
        assert written.read_text() == same.read_text()
        columns = tmp_path / "daq2lh5" / "fc" / "columns.py"
        text = columns.read_text()
        columns.write_text(text.replace('"daqenergy"', '"daqenergies"'))
        sys.modules.pop("daq2lh5.fc.columns_copy", None)
        generator.write_all()
        assert "daqenergies" in written.read_text()

    def test_files_are_ignored_and_not_in_the_repository(self):
        for path in generated():
            name = str(path.relative_to(REPOSITORY))
            assert git("check-ignore", "-q", name).returncode == 0
            assert git("ls-files", "--error-unmatch", name).returncode != 0

    def test_files_say_where_they_come_from(self):
        for path in generated():
            head = path.read_text().splitlines()[0]
            assert head.startswith("# generated from ")
            assert f"daq2lh5/{path.parent.name}/columns.py" in head

    def test_each_kernel_column_has_a_place_and_a_binding(self, generator):
        """Struct member and binder for every column of every table."""
        for path in generated():
            text = path.read_text()
            for table in generator.load_tables(path.parent.name):
                names = members(text, table.name)
                if table.shared is not None:
                    names |= members(text, table.shared.name)
                assert names == {c.name for c in table.columns}
                for column in table.columns:
                    assert f'arrays, "{column.name}", "{column.dtype}"' in text

    def test_the_generator_leaves_imported_modules_alone(self, generator):
        import daq2lh5
        import daq2lh5.fc.columns as before

        generator.load_tables("fc")
        assert sys.modules["daq2lh5"] is daq2lh5
        assert sys.modules["daq2lh5.fc.columns"] is before

    @pytest.mark.parametrize(
        ("name", "snake"),
        [("FCEvent", "fc_event"), ("FSPStatus", "fsp_status"), ("Abc", "abc")],
    )
    def test_names_of_functions(self, generator, name, snake):
        assert generator.snake(name) == snake

    def test_declarations_import_nothing_heavy(self):
        """The build runs them before numpy's headers or any extension are there."""
        names = ("columns.py", "fsp_columns.py", "shared_columns.py")
        for name in ("buffers/declaration.py", *(f"fc/{name}" for name in names)):
            text = (REPOSITORY / "daq2lh5" / name).read_text()
            modules = set(re.findall(r"^(?:from|import) ([\w.]+)", text, re.MULTILINE))
            assert modules <= {
                "__future__",
                "dataclasses",
                "typing",
                "..buffers.declaration",
                ".fsp_columns",
                ".shared_columns",
            }


class TestTree:
    @pytest.mark.parametrize(
        "name",
        [
            "daq2lh5/fc/_kernel.c",
            "daq2lh5/fc/_kernel.cpython-313-x86_64-linux-gnu.so",
            "daq2lh5/fc/_kernel.html",
            "build/x",
            "out.lh5",
            "daq2lh5.egg-info/PKG-INFO",
            "daq2lh5/__pycache__/cli.cpython-313.pyc",
        ],
    )
    def test_products_of_the_build_are_ignored(self, name):
        assert git("check-ignore", "-q", name).returncode == 0

    def test_sources_are_in_the_repository(self):
        tracked = set(git("ls-files", "daq2lh5").stdout.split())
        for pattern in ("*.py", "*.pyx", "*.pxd"):
            for path in (REPOSITORY / "daq2lh5").rglob(pattern):
                name = str(path.relative_to(REPOSITORY))
                ignored = git("check-ignore", "-q", name).returncode == 0
                assert ignored or name in tracked, name

    def test_each_cython_module_is_built(self):
        """Of each source there is an extension that can be imported."""
        text = (REPOSITORY / "setup.py").read_text()
        listed = set(re.findall(r'"(daq2lh5\.[\w.]+)"', text))
        found = {
            ".".join(p.relative_to(REPOSITORY).with_suffix("").parts)
            for p in (REPOSITORY / "daq2lh5").rglob("*.pyx")
        }
        assert listed == found
        for name in found:
            module = importlib.import_module(name)
            assert not module.__file__.endswith(".py")

    def test_version_is_in_one_place(self):
        import daq2lh5

        text = (REPOSITORY / "daq2lh5" / "_version.py").read_text()
        assert f'"{daq2lh5.__version__}"' in text
        project = (REPOSITORY / "pyproject.toml").read_text()
        assert "daq2lh5._version.__version__" in project
        assert re.fullmatch(r"\d+\.\d+\.\d+([.a-z]+\d+)?", daq2lh5.__version__)
