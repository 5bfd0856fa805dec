"""The filters of HDF5 datasets, applied here instead of by HDF5.

HDF5 sends each chunk through the filters of its dataset, one after the other and in one
thread. The common filters are simple enough to apply outside (LH5 format, 6): HDF5's
direct chunk write then stores the result.
"""

from __future__ import annotations

import struct
import sys
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core.codecs.chunks import fletcher32, pack_chunk
from .._core.codecs.deflate import WaveformDeflater
from ..errors import VerificationError
from .merging import merge_settings
from .plugin_filters import with_plugin

if TYPE_CHECKING:
    from h5py.h5p import PropDCID

__all__ = [
    "DEFAULT_SETTINGS",
    "ChunkEncoder",
    "Filters",
    "dataset_settings",
    "level_is_asked",
    "lossless",
    "reads_back",
]

DEFAULT_SETTINGS: dict[str, Any] = {"shuffle": True, "compression": "gzip"}

DEFLATE, SHUFFLE, FLETCHER32, ZSTD = 1, 2, 3, 32015
"""Numbers of filters in HDF5 files."""

LOSSY = (32013, 32017, 32024, 32028, 32033)
"""Numbers of filters that may change values: Zfp, SZ, SZ3, Sperr, HTJ2K."""

FAST_LEVEL = 1
"""Level of zlib for all columns but waveforms. ISA-L is faster, but its output depends
on the content of unused memory: files would differ from run to run."""


MARGIN = 1.02
"""Factor in size by which the deflate for waveforms may be worse: it takes half the
time."""


@dataclass(frozen=True)
class Filters:
    """The filters of a dataset, in the order that HDF5 applies them.

    Attributes
    ----------
    known
        whether this module can apply all of them.
    shuffle, checksum
        whether bytes are shuffled, and a Fletcher-32 checksum is put at the end.
    compressor
        ``""``, ``"fast"`` (deflate, no level asked for), ``"deflate"`` or ``"zstd"``.
    level
        of the compressor.
    raw_mask
        mask of a chunk that is stored without the compressor.
    """

    known: bool
    shuffle: bool = False
    compressor: str = ""
    level: int = 0
    checksum: bool = False
    raw_mask: int = 0

    @classmethod
    def of(cls, properties: PropDCID, level_asked: bool) -> Filters:
        """Read the creation properties of a dataset.

        Parameters
        ----------
        properties
            creation property list of the dataset.
        level_asked
            whether the user gave the level of deflate.
        """
        found = [properties.get_filter(i) for i in range(properties.get_nfilters())]
        numbers = [f[0] for f in found]
        order = (SHUFFLE, DEFLATE, ZSTD, FLETCHER32)
        places = [order.index(n) if n in order else -1 for n in numbers]
        if (
            -1 in places
            or places != sorted(set(places))
            or (DEFLATE in numbers and ZSTD in numbers)
        ):
            return cls(known=False)
        compressor, level, raw_mask = "", 0, 0
        for i, (number, _, values, _) in enumerate(found):
            if number == DEFLATE:
                compressor = "deflate" if level_asked else "fast"
                level = values[0]
            elif number == ZSTD:
                compressor = "zstd"
                # 3 is the default of the filter
                level = values[0] if values else 3
            else:
                continue
            raw_mask = 1 << i
        return cls(
            known=True,
            shuffle=SHUFFLE in numbers,
            compressor=compressor,
            level=level,
            checksum=FLETCHER32 in numbers,
            raw_mask=raw_mask,
        )


class ChunkEncoder:
    """Applies filters to chunks. Each thread has its own, with memory to work in.

    Parameters
    ----------
    verify
        whether to decompress each chunk and compare.
    faults
        gets the `where` of chunks that zlib compressed, because the deflate for
        waveforms failed the verification.
    """

    def __init__(
        self, verify: bool = False, faults: list[tuple[str, int]] | None = None
    ) -> None:
        self.verify = verify
        self.faults = [] if faults is None else faults
        self._scratch = np.empty(0, np.uint8)
        self._waveforms = WaveformDeflater()
        self._zstd: dict[int, Any] = {}

    def encode(
        self,
        pieces: list[np.ndarray],
        size: int,
        itemsize: int,
        filters: Filters,
        waveforms: bool = False,
        may_be_raw: bool = True,
        where: tuple[str, int] = ("", 0),
    ) -> tuple[bytes, int]:
        """Apply the filters to a chunk.

        Parameters
        ----------
        pieces
            the rows, in order; zeros follow to the end of the chunk.
        size
            bytes of the chunk before the filters.
        itemsize
            bytes of an element.
        filters
            the filters.
        waveforms
            whether to use the deflate for waveforms.
        may_be_raw
            whether filters may be left out.
        where
            path of the dataset and number of the first row, for messages.

        Returns
        -------
        payload, mask
            bytes to store, and the mask of omitted filters: a chunk that compression
            would enlarge is stored uncompressed.

        Raises
        ------
        VerificationError
            If zlib or Zstandard does not give back the same bytes, with `verify`.
        """
        chunk = self.room(size)
        mask = 0
        if waveforms:
            whole = len(pieces) == 1 and pieces[0].nbytes == size
            if not whole:
                pack_chunk(chunk, pieces, itemsize, False)
            payload = self._waveforms.compress(pieces[0] if whole else chunk, itemsize)
            if len(payload) < size:
                if self.verify:
                    pack_chunk(chunk, pieces, itemsize, filters.shuffle)
                if not self.verify or reads_back(payload, chunk, filters):
                    return self._with_checksum(payload, filters), 0
                self.faults.append(where)
        pack_chunk(chunk, pieces, itemsize, filters.shuffle)
        payload = self._compressed(chunk, filters)
        if filters.compressor and len(payload) >= size and may_be_raw:
            payload, mask = chunk.tobytes(), filters.raw_mask
        elif self.verify and not reads_back(payload, chunk, filters):
            path, row = where
            msg = (
                f"'{path}', chunk from row {row}: the decompressed bytes differ from "
                "the original; check this computer's memory, and try again"
            )
            raise VerificationError(msg)
        return self._with_checksum(payload, filters), mask

    def _compressed(self, chunk: np.ndarray, filters: Filters) -> bytes:
        if filters.compressor == "fast":
            return zlib.compress(chunk, FAST_LEVEL)
        if filters.compressor == "deflate":
            return zlib.compress(chunk, filters.level)
        if filters.compressor == "zstd":
            return self._zstd_compressor(filters.level).compress(chunk)
        return chunk.tobytes()

    def room(self, size: int) -> np.ndarray:
        """Return memory for `size` bytes, valid until the next call."""
        if len(self._scratch) < size:
            self._scratch = np.empty(size, np.uint8)
        return self._scratch[:size]

    @staticmethod
    def _with_checksum(payload: bytes, filters: Filters) -> bytes:
        if not filters.checksum:
            return payload
        return payload + struct.pack("<I", fletcher32(payload))

    def like_waveforms(self, sample: np.ndarray) -> bool:
        """Whether the deflate for waveforms is the better choice for such rows."""
        size, itemsize = sample.nbytes, sample.itemsize
        chunk = self.room(size)
        pack_chunk(chunk, [sample], itemsize, True)
        usual = min(len(zlib.compress(chunk, FAST_LEVEL)), size)
        return len(self._waveforms.compress(sample, itemsize)) < MARGIN * usual

    def _zstd_compressor(self, level: int) -> Any:
        if level not in self._zstd:
            import zstandard  # noqa: PLC0415  (few ask for it)

            # the HDF5 filter needs the size in the frame
            self._zstd[level] = zstandard.ZstdCompressor(
                level=level, write_content_size=True
            )
        return self._zstd[level]


def reads_back(payload: bytes, chunk: np.ndarray, filters: Filters) -> bool:
    """Whether a compressed chunk gives back the original bytes.

    Parameters
    ----------
    payload
        the compressed chunk, without its checksum.
    chunk
        the original bytes, shuffled if the filters say so.
    filters
        the filters that were applied.
    """
    if filters.compressor == "zstd":
        import zstandard  # noqa: PLC0415  (few ask for it)

        try:
            found = zstandard.ZstdDecompressor().decompress(payload)
        except zstandard.ZstdError:
            return False
    elif filters.compressor:
        try:
            found = zlib.decompress(payload, bufsize=max(len(chunk), 1))
        except zlib.error:
            return False
    else:
        found = payload
    return np.array_equal(np.frombuffer(found, np.uint8), chunk)


def dataset_settings(given: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``create_dataset`` for a dataset.

    Parameters
    ----------
    given
        settings for all datasets; others are the defaults of lh5.
    own
        settings of this dataset, which have precedence.
    """
    lh5_settings = sys.modules.get("lh5.io.settings")
    default = getattr(lh5_settings, "DEFAULT_HDF5_SETTINGS", DEFAULT_SETTINGS)
    settings = merge_settings(default, given, own)
    if isinstance(settings.get("chunks"), list):
        settings["chunks"] = tuple(settings["chunks"])
    return with_plugin(settings)


def lossless(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``create_dataset`` without filters that change integers.

    Parameters
    ----------
    settings
        result of :func:`dataset_settings`.
    """
    kept = dict(settings)
    if kept.get("scaleoffset"):
        # (0: as many bits as necessary)
        del kept["scaleoffset"]
    if kept.get("compression") in LOSSY:
        kept |= {"compression_opts": None, **DEFAULT_SETTINGS}
    return kept


def level_is_asked(settings: dict[str, Any]) -> bool:
    """Whether settings of a dataset ask for a certain level of deflate."""
    return (
        settings.get("compression_opts") is not None
        or type(settings.get("compression")) is int
    )
