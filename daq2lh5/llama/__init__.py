"""llamaDAQ: files of Struck SIS3316 digitizers (``.bin``).

Constants of the format are in ``layout.pxd``, framing in ``_framing.pyx``, the loop
over events in ``_kernel.pyx``, the columns of the table in ``columns.py``. The other
modules have the public classes.
"""
