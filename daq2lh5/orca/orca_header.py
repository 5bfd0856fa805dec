"""The header of an ORCA file: its packets and all settings."""

from __future__ import annotations

import json
import logging
import math
from typing import TYPE_CHECKING, Any

from .orca_packet import id_shift

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lgdo

log = logging.getLogger(__name__)

__all__ = ["OrcaHeader"]


class OrcaHeader(dict):
    """The header as nested dictionaries and lists, as ORCA wrote it.

    The methods look up settings for decoders. Any part of the header can be missing: an
    empty crate lacks ``Cards``, a setup without crates lacks ``Crates``.

    Parameters
    ----------
    jsons
        the header as JSON text, such as the string ``OrcaHeader`` in an LH5 file.
    lgdo_scalar
        the JSON text as read from an LH5 file.

    Attributes
    ----------
    configurations
        configurations of FlashCam listeners by id, from packets behind the header; for
        traces that are decoded one at a time.
    """

    def __init__(
        self, jsons: str | None = None, lgdo_scalar: lgdo.Scalar | None = None
    ) -> None:
        super().__init__()
        self.configurations: dict[int, tuple[Any, ...]] = {}
        if jsons is not None:
            self.update(json.loads(jsons))
        elif lgdo_scalar is not None:
            self.set_from_lgdo(lgdo_scalar)

    def set_from_lgdo(self, lgdo_scalar: lgdo.Scalar) -> None:
        """Set the entries from a header that is stored as JSON text.

        Parameters
        ----------
        lgdo_scalar
            the text.

        Raises
        ------
        ValueError
            if `lgdo_scalar` is not an :class:`lgdo.Scalar`.
        """
        import lgdo  # noqa: PLC0415  (takes a second; conversions do not need it)

        if not isinstance(lgdo_scalar, lgdo.Scalar):
            msg = f"expected the header as an lgdo.Scalar, got {type(lgdo_scalar)}"
            raise ValueError(msg)
        self.update(json.loads(lgdo_scalar.value))

    def get_decoder_list(self) -> list[str]:
        """Return the names of the decoders for the file's packets.

        They include the header's decoder, and have the order of the table of ids.
        """
        return list(dict.fromkeys(self.get_id_to_decoder_name_dict().values()))

    def get_id_to_decoder_name_dict(self, shift_data_id: bool = True) -> dict[int, str]:
        """Return the name of the decoder by data id.

        Parameters
        ----------
        shift_data_id
            as `shift` of :func:`.get_data_id`. Only unshifted ids are unique.
        """
        names = {0: "OrcaHeaderDecoder"}
        for _, _, data_id, decoder in self._records():
            names[data_id >> id_shift(data_id) if shift_data_id else data_id] = decoder
        return names

    def find_shared_ids(self) -> dict[int, list[str]]:
        """Return the unshifted data ids with several different decoders.

        Returns
        -------
        decoders
            names by data id; the last one is used.
        """
        names: dict[int, dict[str, None]] = {}
        for _, _, data_id, decoder in self._records():
            of_id = names.setdefault(data_id, {})
            # keep the order of the last occurrence
            of_id.pop(decoder, None)
            of_id[decoder] = None
        return {i: [*of_id] for i, of_id in names.items() if len(of_id) > 1}

    def _records(self) -> Iterator[tuple[str, str, int, str]]:
        """Iterate over the table of ids.

        Yields
        ------
        object, record
            names of the packets in the table.
        data_id
            unshifted data id. The file may have it as a negative number.
        decoder
            name of their decoder.
        """
        for object_name, records in _items(self.get("dataDescription")):
            for record_name, record in _items(records):
                entry = dict(_items(record))
                data_id, decoder = entry.get("dataId"), entry.get("decoder")
                if not isinstance(data_id, int) or not isinstance(decoder, str):
                    continue
                data_id &= 0xFFFFFFFF
                # 0 is the id of headers; records without an id have it too
                if data_id >> id_shift(data_id):
                    yield object_name, record_name, data_id, decoder

    def get_run_number(self) -> int:
        """Return the number of the run.

        Raises
        ------
        ValueError
            if the header lacks it.
        """
        number = self._run_control().get("RunNumber")
        if number is not None:
            return number
        msg = "ORCA header without a run number (ObjectInfo/DataChain/Run Control)"
        raise ValueError(msg)

    def continues(self, before: OrcaHeader) -> bool:
        """Whether this header continues the run of the previous header.

        ORCA also writes a header at the start of each sub-run (ORCA format, 1.2).

        Parameters
        ----------
        before
            the previous header.
        """
        old, new = before._run_control(), self._run_control()
        return self == before or (
            "RunNumber" in new
            and new["RunNumber"] == old.get("RunNumber")
            and bool(new.get("SubRunNumber"))
        )

    def _run_control(self) -> dict[str, Any]:
        """Return the entry ``Run Control``; its place differs in old headers."""
        places = [*_entries(self, "ObjectInfo", "DataChain"), self]
        if isinstance(self.get("ObjectInfo"), dict):
            places.append(self["ObjectInfo"])
        for place in places:
            control = place.get("Run Control")
            for entry in control if isinstance(control, list) else [control]:
                if isinstance(entry, dict) and "RunNumber" in entry:
                    return entry
        return {}

    def get_object_info(
        self, orca_class_name: str | list[str]
    ) -> dict[int, dict[int, dict]]:
        """Return the settings of all cards of a class, by crate and card number.

        Parameters
        ----------
        orca_class_name
            one class, or several.
        """
        classes = orca_class_name
        if isinstance(classes, str):
            classes = [classes]
        found: dict[int, dict[int, dict]] = {}
        for crate in _entries(self, "ObjectInfo", "Crates"):
            for card in _entries(crate, "Cards"):
                if card.get("Class Name") not in classes:
                    continue
                place = crate.get("CrateNumber"), card.get("Card")
                if not all(map(_is_number, place)):
                    text = "a %s lacks its crate or card number: ignored"
                    log.warning(text, card["Class Name"])
                    continue
                found.setdefault(place[0], {})[place[1]] = card
        return found

    def get_usb_info(self, orca_class_name: str) -> dict[int, dict]:
        """Return the settings of all USB devices of a class, by number.

        Parameters
        ----------
        orca_class_name
            the class.
        """
        found: dict[int, dict] = {}
        for entry in _entries(self, "ObjectInfo", "USB"):
            for name, settings in entry.items():
                # the name ends with the number of the unit
                unit = name.rpartition(" ")[2]
                if (
                    isinstance(settings, dict)
                    and settings.get("Class Name") == orca_class_name
                    and unit.isdecimal()
                ):
                    found[int(unit)] = settings
        return found

    def get_readout_info(
        self, orca_class_name: str, unique_id: int = -1
    ) -> list[dict] | dict:
        """Return the readout settings of objects of a class.

        Parameters
        ----------
        orca_class_name
            the class.
        unique_id
            id of the object; negative for all objects.

        Returns
        -------
        info
            the entry of ``ReadoutDescription`` with `unique_id`, otherwise a list of
            all entries of the class.
        """
        objects = _entries(self, "ReadoutDescription")
        return _select(objects, "name", orca_class_name, unique_id, "readout info")

    def get_auxhw_info(
        self, orca_class_name: str, unique_id: int = -1
    ) -> list[dict] | dict:
        """Return the settings of objects outside crates.

        Parameters
        ----------
        orca_class_name
            the class.
        unique_id
            id of the object; negative for all objects.

        Returns
        -------
        info
            the entry of ``AuxHw`` with `unique_id`, otherwise a list of all entries of
            the class.
        """
        objects = _entries(self, "ObjectInfo", "AuxHw")
        return _select(objects, "Class Name", orca_class_name, unique_id, "object info")


def _is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def _items(node: Any) -> Iterator[tuple[str, Any]]:
    """Iterate over the items of a dictionary; other types have no items."""
    return iter(node.items() if isinstance(node, dict) else ())


def _entries(node: Any, *path: str) -> list[dict]:
    """Return the dictionaries in the list at `path`; empty without a list."""
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    return [e for e in node if isinstance(e, dict)] if isinstance(node, list) else []


def _select(
    objects: list[dict], field: str, class_name: str, unique_id: int, label: str
) -> list[dict] | dict:
    """Return the object with `unique_id`, or all objects of the class."""
    found = [e for e in objects if e.get(field) == class_name]
    if unique_id >= 0:
        for entry in found:
            if entry.get("uniqueID") == unique_id:
                return entry
    if not found:
        log.warning("no %s for class name '%s'", label, class_name)
    elif unique_id >= 0:
        log.warning(
            "no %s for class name '%s' with uniqueID %d: all returned",
            *(label, class_name, unique_id),
        )
    return found
