"""The version: that of the legend-daq2lh5 which daq2lh5 replaces.

``LEGEND_DAQ2LH5_VERSION`` sets another one, for requirements of exactly that. The local
label "+daq2lh5" tells it from a version of legend-daq2lh5; specifiers without a label
are satisfied all the same (PEP 440).
"""

import os

from setuptools import setup

setup(version=os.environ.get("LEGEND_DAQ2LH5_VERSION", "1.7.1") + "+daq2lh5")
