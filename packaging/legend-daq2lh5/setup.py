"""Sets the version to that of the legend-daq2lh5 which daq2lh5 replaces.

``LEGEND_DAQ2LH5_VERSION`` sets another one, for pinned requirements. The local label
"+daq2lh5" distinguishes it from a version of legend-daq2lh5; specifiers without a label
accept it (PEP 440).
"""

import os

from setuptools import setup

setup(version=os.environ.get("LEGEND_DAQ2LH5_VERSION", "1.7.1") + "+daq2lh5")
