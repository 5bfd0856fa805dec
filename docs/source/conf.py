"""Configuration of Sphinx."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "daq2lh5"
author = "The daq2lh5 developers"
copyright = author
release = version = version_of("daq2lh5")

extensions = [
    "architecture_page",
    "daq2lh5_tables",
    "format_citations",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "wire_tables",
]

html_theme = "furo"
html_title = f"daq2lh5 {release}"
html_copy_source = False

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
# types in docstrings are English, not names of classes
numpydoc_xref_param_type = False

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# what other packages document
nitpick_ignore_regex = [
    (r"py:.*", r"(lgdo|lh5|h5py|numpy|np|copy|pathlib|str)(\..*)?"),
    (r"py:class", r"(abc\.ABC|Exception|RuntimeError|ValueError|dict|list|object)"),
    # without a dot in front, in the docstring of a class of another module
    (r"py:class", r"RawBufferLibrary"),
    # the signature of a compiled method: "const uint8_t[::1] window"
    (r"py:class", r":1\] .*"),
    (r"py:class", r"\] (traces|run|dead|intervals)"),
]
