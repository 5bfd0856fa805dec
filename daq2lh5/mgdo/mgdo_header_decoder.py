"""Decoder of the objects that describe the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data_decoder import DataDecoder
from ..writing.layout import layout_of_values

if TYPE_CHECKING:
    import lgdo

    from ..writing.layout import Layout
    from .tree import MGTree

__all__ = ["MGDOHeaderDecoder"]

EVENT_VERSION = 9
WAVEFORM_VERSION = 5
UNITS = {"start_time": {"units": "s"}, "stop_time": {"units": "s"}}


class MGDOHeaderDecoder(DataDecoder):
    """Decode the objects beside the tree: the run, and whether blinding is active.

    Attributes
    ----------
    values
        fields of the struct by name; without those of a run that cannot be read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.values: dict[str, Any] = {}
        self._header: lgdo.Struct | None = None

    def read(self, tree: MGTree, digitizer_class: str) -> list[str]:
        """Read the header of a file.

        Parameters
        ----------
        tree
            tree of the file.
        digitizer_class
            class of the digitizer data.

        Returns
        -------
        missing
            names of objects that could not be read.
        """
        run = tree.run()
        blinding = tree.is_blinding_active()
        self.values = run | {
            "is_blinding_active": np.int32(blinding),
            "n_entries": np.int64(tree.n_entries),
            "mgtevent_version": np.int32(EVENT_VERSION),
            "mgtwaveform_version": np.int32(WAVEFORM_VERSION),
            "digitizer_class": digitizer_class,
        }
        self._header = None
        return [
            name
            for name, there in (("run", bool(run)), ("IsBlindingActive", blinding >= 0))
            if not there
        ]

    def make_lgdo(
        self,
        key: int | None = None,  # noqa: ARG002
        size: int | None = None,  # noqa: ARG002
    ) -> lgdo.Struct:
        """Return the header as a struct."""
        if self._header is None:
            import lgdo  # noqa: PLC0415  (takes a second; conversions do not need it)

            self._header = lgdo.Struct(
                {
                    name: lgdo.Scalar(value, attrs=dict(UNITS.get(name, {})))
                    for name, value in self.values.items()
                }
            )
        return self._header

    def describe_lgdo(self) -> tuple[Layout, list[np.ndarray]]:
        """Return layout and values of the struct for a writer."""
        return layout_of_values(self.values, UNITS)
