"""MGDO: ROOT files with trees of ``MGTEvent`` (GERDA tier 1).

The package uproot reads the ROOT file (``tree.py``); its baskets are unpacked in
advance (``baskets.py``). ``_framing.pyx`` reads the objects of an entry,
``_kernel.pyx`` writes the rows, ``columns.py`` declares the columns. The other modules
have the public classes.
"""
