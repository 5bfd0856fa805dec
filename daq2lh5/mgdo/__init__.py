"""MGDO: ROOT files with trees of ``MGTEvent`` (GERDA tier 1).

The ROOT file is read by the package uproot (``tree.py``); its baskets are unpacked in
advance (``baskets.py``). Entries of the tree are decoded here: the objects in
``_framing.pyx``, the rows in ``_kernel.pyx``, the columns of the table in
``columns.py``. The other modules are the public classes.
"""
