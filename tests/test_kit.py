"""The tests themselves: a kit that they share, and a file for each module."""

from __future__ import annotations

import ast
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest
from kit.places import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

TESTS = REPOSITORY / "tests"
PACKAGE = REPOSITORY / "daq2lh5"
FILES = sorted(TESTS.rglob("*.py"))
MAX_LINES = 800

ELSEWHERE = {
    "__main__": "test_cli",
    "batch/results": "batch/test_work",
    "batch/worker": "batch/test_work",
    "buffers/channel_map": "conversion/test_channel_maps",
    "buffers/table_settings": "conversion/test_settings_in_specification",
    "writing/links": "conversion/test_aliases",
    "writing/merging": "conversion/test_settings_in_specification",
    "buffers/fields": "buffers/test_expansion",
    "buffers/keys": "buffers/test_expansion",
    "conversion/loop": "test_build_raw",
    "conversion/outputs": "verification/test_verification",
    "conversion/restored": "conversion/test_provenance",
    "verification/files": "verification/test_verification",
    "verification/objects": "verification/test_verification",
    "writing/appending": "writing/test_lh5_writer",
    "_version": "test_cli",
    # what a format does shows through its streamer alone
    "*/_framing": "*/test_*_streamer",
    "*/_kernel": "*/test_*_streamer",
    "reading/holes": "test_zeros",
    "fc/_*": "fc/test_fc_streamer",
    "fc/fc_*_decoder": "fc/test_fcio_objects",
    "fc/fc_base": "fc/test_fcio_objects",
    "fc/fsp_config": "fc/test_fcio_objects",
    "llama/_chunks": "llama/test_old_files",
    "llama/llama_*": "llama/test_llama_streamer",
    "compass/compass_*_decoder": "compass/test_compass_streamer",
    "mgdo/baskets_ahead": "mgdo/test_baskets",
    "mgdo/mgdo_*_decoder": "mgdo/test_mgdo_streamer",
    "mgdo/tree": "mgdo/test_mgdo_real",
    "orca/orca_*": "orca/test_orca_public_names",
    "orca/decoder_names": "orca/test_orca_public_names",
    "orca/skim_orca_file": "test_cli",
    "orca/trace_tables": "orca/flashcam/test_fcio_packets",
    "orca/digitizers/*": "orca/test_orca_digitizers",
    "orca/flashcam/_*": "orca/flashcam/test_traces",
    "orca/packets/_*": "orca/test_orca_damage",
    "orca/packets/file": "orca/packets/test_access",
    "orca/slow_control/*": "orca/slow_control/test_decoders",
    # declarations, each compared with what a streamer gives
    "*/columns": "*/test_*_streamer",
    "*/*_columns": "*/test_*_streamer",
    "*/wire": "core/test_wire",
    "*/layouts": "*/test_*_streamer",
    "*/options": "test_formats",
    # what the frame of a format is shows in each format
    "data_decoder": "test_third_parties",
    "data_streamer": "conversion/test_inputs",
    "streaming/kernel_streamer": "conversion/test_inputs",
    "core/sink": "core/test_binding",
    "core/codecs/chunks": "writing/test_codecs",
    "core/codecs/radware": "core/codecs/test_codecs",
    # parts of one thing, tested as that
    "buffer_processor/*": "buffer_processor/test_conversion",
    "buffers/append": "test_raw_buffer",
    "command/run": "test_cli",
    "conversion/targets": "publishing/test_naming",
    "processing/plan": "processing/test_steps",
    "publishing/journal": "publishing/test_publish",
    "publishing/repair": "publishing/test_temporary",
    "reading/_read_ahead": "reading/test_ahead",
    "reading/zstd": "reading/test_members",
    "selection/*": "selection/test_selection",
    "writing/columns": "writing/test_chunks",
    "writing/datasets": "writing/test_filters",
    "writing/layout": "test_attributes",
    "writing/objects": "writing/test_chunks",
    "writing/settings": "writing/test_filters",
    "writing/templates": "writing/test_chunks",
}
"""Modules without a test file of their own, and the file that tests them.

Patterns may be for modules to come; a name is that of a module.
"""


def is_test(path: Path) -> bool:
    return path.name.startswith("test_")


def imports_of(path: Path) -> list[tuple[str, list[str]]]:
    """List the modules that a file imports, and the names that it takes from them."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            found.append(("." * node.level + (node.module or ""), names))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(TESTS)))
def test_imports(path):
    """Nothing is taken from a test, and nothing private from the kit."""
    for module, names in imports_of(path):
        parts = [*module.split("."), *names]
        assert not [p for p in parts if p.startswith("test_")], module
        assert "conftest" not in parts
        if parts[0] == "kit":
            assert not [name for name in parts if name.startswith("_")], module


def test_the_kit_imports_nothing_of_the_tests_beside_it():
    folders = {p.name for p in TESTS.iterdir() if p.is_dir()} - {"kit"}
    for path in sorted((TESTS / "kit").rglob("*.py")):
        roots = {module.partition(".")[0] for module, _ in imports_of(path)}
        assert not roots & folders, path


@pytest.mark.parametrize("part", ["writers", "reference"])
def test_writers_and_reference_readers_know_nothing_of_the_package(part):
    """They are made from the documents of the formats alone."""
    for path in sorted((TESTS / "kit" / part).rglob("*.py")):
        roots = {module.partition(".")[0] for module, _ in imports_of(path)}
        assert "daq2lh5" not in roots, path


def test_no_file_is_too_long():
    lines = {p: p.read_text("utf-8").count("\n") for p in FILES}
    assert [p for p, n in lines.items() if n > MAX_LINES] == []


def modules() -> list[str]:
    """List the modules by path, folders without underscores: ``core/sink``."""
    found = []
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyx")]):
        if path.name != "__init__.py":
            inside = path.relative_to(PACKAGE).with_suffix("")
            parts = [part.strip("_") for part in inside.parent.parts]
            found.append("/".join([*parts, inside.name]))
    return found


def test_each_module_has_a_test_file_of_its_name():
    tests = {str(p.relative_to(TESTS).with_suffix("")) for p in FILES if is_test(p)}
    without = []
    used = set()
    for module in modules():
        folder, _, name = module.rpartition("/")
        own = f"{folder}/test_{name.strip('_')}".removeprefix("/")
        if own in tests:
            continue
        patterns = [p for p in ELSEWHERE if fnmatch(module, p)]
        used |= set(patterns)
        if not patterns:
            without.append(module)
    assert not without, "write a test file for them, or say where they are tested"
    idle = {name for name in ELSEWHERE.keys() - used if "*" not in name}
    assert not idle, "these have test files, or are gone"
    for name in used:
        assert [t for t in tests if fnmatch(t, ELSEWHERE[name])], name
