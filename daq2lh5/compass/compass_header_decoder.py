"""Decoder of what a CoMPASS file and its settings say of a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..data_decoder import DataDecoder
from ..errors import DecodeError
from ..writing.layout import Layout, scalar
from .compass_config_parser import Settings, as_struct, header_tree, read_settings
from .layouts import (
    CompassLayout,
    board_like_a_header,
    detect_layout,
    first_length,
    has_header,
    records_contradict,
)

if TYPE_CHECKING:
    from typing import BinaryIO

    import lgdo
    import numpy as np

__all__ = ["CompassHeaderDecoder"]

HEAD_BYTES = 2**22
"""Bytes to look at in a file without a header."""

NOTHING_KNOWN = (
    "if it is of a channel without events, its run says what its table has: give the "
    "settings file (compass_config_file), or put it beside other files of the run"
)
"""Advice for an empty file."""


class CompassHeaderDecoder(DataDecoder):
    """Decode the header of a file: which fields its records have.

    The header is :ref:`wire-compass_header` (CoMPASS format, 1.1). Files of CoMPASS 1,
    and those that continue another one, have no header; the decoder looks at their
    records to find which fields they have. From the settings file come boards
    and channels.

    Attributes
    ----------
    config
        the header as an :class:`lgdo.Struct`; None before it is decoded.
    layout
        what records of the file have.
    settings
        the settings of the run, if they are known.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.layout: CompassLayout | None = None
        self.settings: Settings | None = None
        self.tree: dict[str, Any] | None = None
        self._struct: lgdo.Struct | None = None

    @property
    def config(self) -> lgdo.Struct | None:  # noqa: D102  (see the class)
        if self._struct is None and self.tree is not None:
            self._struct = as_struct(self.tree)
        return self._struct

    def decode_header(
        self, in_stream: BinaryIO, config_file: str | None = None
    ) -> lgdo.Struct:
        """Decode the header of a file.

        Parameters
        ----------
        in_stream
            the open file, at its start.
        config_file
            name of the settings file.

        Returns
        -------
        config
            the header.

        Raises
        ------
        DecodeError
            (a RuntimeError) if the file is empty, its layout is not to be found, or
            the settings file is none.
        """
        settings = None if config_file is None else read_settings(config_file)
        head = in_stream.read(HEAD_BYTES)
        name = str(getattr(in_stream, "name", ""))
        self.read_head(head, len(head) < HEAD_BYTES, settings, source=name)
        return self.config

    def read_head(
        self,
        head: bytes | memoryview,
        at_end: bool,
        settings: Settings | None,
        layout: CompassLayout | None = None,
        source: str = "",
        n_samples: float | None = None,
    ) -> None:
        """Decode the header from the first bytes of a file.

        Parameters
        ----------
        head
            the bytes.
        at_end
            whether that is all of the file.
        settings
            of the run, if they are known.
        layout
            what records of a file without header have, if the user knows.
        source
            name of the file, for messages.
        n_samples
            of a waveform, for a file without records; NaN if unknown.
        """
        if len(head) == 1 or (not len(head) and layout is None):
            problem = "the file is empty" if not len(head) else "the file has one byte"
            advice = "" if len(head) else NOTHING_KNOWN
            raise DecodeError(problem, source, advice=advice)
        present = has_header(head)
        board = board_like_a_header(head, at_end, layout) if present else None
        if board is not None:
            present, layout = False, board
        elif present:
            layout = CompassLayout.from_bits(2, head[0])
            layout = records_contradict(head[2:], at_end, layout) or layout
        elif layout is None:
            layout = detect_layout(head, at_end, settings, source)
        self.settings = settings
        records = head[2 * present :]
        self.set_layout(layout, records, present, n_samples if not records else None)

    def set_layout(
        self,
        layout: CompassLayout,
        records: bytes | memoryview,
        present: bool,
        n_samples: float | None = None,
    ) -> None:
        """Have the header be that of records of a layout.

        Parameters
        ----------
        layout
            what they have.
        records
            the first of them.
        present
            whether there is a header word before them.
        n_samples
            of the first record; read from it by default.
        """
        self.layout = layout
        first = first_length(records, layout) if n_samples is None else n_samples
        self.tree = header_tree(self.settings, first) | {
            "energy_channels": int(layout.energy),
            "energy_calibrated": int(layout.calibrated),
            "energy_short": int(layout.short_energy),
            "waveform_samples": int(
                layout.waveforms if layout.version == 2 else first != 0
            ),
            "header_present": int(present),
        }
        self._struct = None

    def forget_layout(self) -> None:
        """Set the header of a file without records and layout: all is unknown."""
        fields = ("energy_channels", "energy_calibrated", "energy_short")
        self.tree |= dict.fromkeys((*fields, "waveform_samples"), math.nan)
        self._struct = None

    def make_lgdo(
        self,
        key: int | None = None,  # noqa: ARG002
        size: int | None = None,  # noqa: ARG002
    ) -> lgdo.Struct:
        """Return the header.

        Raises
        ------
        RuntimeError
            if it is not decoded yet.
        """
        if self.tree is None:
            msg = "the header is not decoded yet"
            raise RuntimeError(msg)
        return self.config

    def describe_lgdo(self) -> tuple[Layout, list[np.ndarray]]:
        """Return how the header is written."""
        layout = Layout()
        _add(layout, "", self.tree)
        return layout, []


def _add(layout: Layout, path: str, tree: dict[str, Any]) -> None:
    """Add nested dictionaries to a layout, as structs."""
    layout.groups[path] = {"datatype": f"struct{{{','.join(sorted(tree))}}}"}
    for name, value in tree.items():
        below = f"{path}/{name}" if path else name
        if isinstance(value, dict):
            _add(layout, below, value)
        else:
            layout.scalars[below] = scalar(value, {})
