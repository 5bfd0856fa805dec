"""Decoder of the header of a CoMPASS file, and of its settings."""

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
"""Bytes used to detect the layout of a file without a header."""

EMPTY_ADVICE = (
    "for a channel without events the columns come from its run: give the settings "
    "file (compass_config_file), or put the file beside other files of the run"
)
"""Advice for an empty file."""


class CompassHeaderDecoder(DataDecoder):
    """Decode the header of a file: which fields its records have.

    The header is :ref:`wire-compass_header` (CoMPASS format, 1.1). It is missing in
    files of CoMPASS 1 and in files that continue another one: there the layout is
    detected from the records. Boards and channels are from the settings file.

    Attributes
    ----------
    config
        the header as an :class:`lgdo.Struct`; None before it is decoded.
    layout
        layout of the records.
    settings
        settings of the run, if known.
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
            (a RuntimeError) if the file is empty, its layout cannot be determined, or
            the settings file is invalid.
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
            whether they are the whole file.
        settings
            settings of the run, if known.
        layout
            layout of a file without header, if the user gives it.
        source
            name of the file, for messages.
        n_samples
            samples of a waveform, for a file without records; NaN if unknown.
        """
        if len(head) == 1 or (not len(head) and layout is None):
            problem = "the file is empty" if not len(head) else "the file has one byte"
            advice = "" if len(head) else EMPTY_ADVICE
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
        """Set the header for records of a layout.

        Parameters
        ----------
        layout
            their layout.
        records
            bytes from the first record on.
        present
            whether a header word is in front of them.
        n_samples
            samples of the first record; by default read from it.
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
        """Set all fields of the header to unknown: no records, no layout."""
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
            before the header is decoded.
        """
        if self.tree is None:
            msg = "the header is not decoded yet: call decode_header first"
            raise RuntimeError(msg)
        return self.config

    def describe_lgdo(self) -> tuple[Layout, list[np.ndarray]]:
        """Return layout and values of the header for a writer."""
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
