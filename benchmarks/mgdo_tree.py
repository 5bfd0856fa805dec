"""MGDO files with a large tree: the baskets of the real file, over and over.

The sections named are those of the MGDO format; what ROOT's
objects consist of was looked up in the file itself, whose streamer information
describes them.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FIRST_BASKET, END_OF_BASKETS = 557, 91523
"""Where the four baskets are; the tree follows."""

KEY_OF_TREE = 99644
"""Where the list of keys has that of the tree."""

KEY = struct.Struct(">ihiIhhii")
"""Bytes with the key, version, bytes of the object, time, bytes of the key, cycle, and
where the object and its directory are."""

BLOCK_HEADER = 9
BYTE_COUNTS = (0, 190, 215, 237, 243)
"""Of the objects in the record that hold the branch's lists of baskets: the tree,
its branches, a pointer, ``TBranchObject`` and ``TBranch``."""

N_BASKETS, ROOM = 299, 315
"""Number of baskets, and length of the lists."""

N_ENTRIES = (72, 303, 323)
"""Numbers of entries: of the tree, and twice of the branch."""

LISTS = (532, 573, 654, 735)
"""Where the lists begin (bytes, first entry and place of each basket), each with one
more byte, and where the last one ends."""

HEAD_END = 12
"""Where the header of the file says where its end is."""

ENTRIES, ROWS = 11, 18


def head_and_body(path: Path) -> tuple[bytes, bytes]:
    """Return the whole file, and its baskets."""
    data = path.read_bytes()
    return data, data[FIRST_BASKET:END_OF_BASKETS]


def add_tree(path: Path, repeats: int) -> None:
    """Make the tree of a file hold the baskets that were appended to it.

    Parameters
    ----------
    path
        the file: head, and so many bodies. It gets a new tree at its end.
    repeats
        number of bodies.
    """
    with path.open("r+b") as file:
        head = file.read(KEY_OF_TREE + KEY.size)
        size = file.seek(0, 2)
        length = END_OF_BASKETS - FIRST_BASKET
        shift = size - repeats * length - FIRST_BASKET

        key = list(KEY.unpack_from(head, KEY_OF_TREE))
        stored, key_length = key[0], key[4]
        begin = END_OF_BASKETS + key_length
        packed = head[begin + BLOCK_HEADER : END_OF_BASKETS + stored]
        tree = repeated(zlib.decompress(packed), repeats, shift, length)

        # not compressed
        key[0], key[2], key[6] = key_length + len(tree), len(tree), size
        file.write(KEY.pack(*key))
        file.write(head[END_OF_BASKETS + KEY.size : begin] + tree)
        end = file.tell()
        file.seek(KEY_OF_TREE)
        file.write(KEY.pack(*key))
        file.seek(HEAD_END)
        file.write(struct.pack(">i", end))


def repeated(tree: bytes, repeats: int, shift: int, length: int) -> bytes:
    """Return a tree with the baskets of another one several times.

    Parameters
    ----------
    tree
        the other one.
    repeats
        how often.
    shift
        how far the first copy of the baskets is behind those of the other tree.
    length
        bytes of all baskets.
    """
    (n,) = struct.unpack_from(">i", tree, N_BASKETS)
    room = 1 + n * repeats
    lists = b""
    for at, code, first, step, end in (
        (LISTS[0], "i", 0, 0, 0),
        (LISTS[1], "q", 0, ENTRIES, ENTRIES * repeats),
        (LISTS[2], "q", shift, length, 0),
    ):
        values = struct.unpack_from(f">{n}{code}", tree, at + 1)
        numbers = [v + first + i * step for i in range(repeats) for v in values]
        lists += b"\1" + struct.pack(f">{room}{code}", *numbers, end)
    out = bytearray(tree[: LISTS[0]] + lists + tree[LISTS[-1] :])
    for at in BYTE_COUNTS:
        (count,) = struct.unpack_from(">I", out, at)
        struct.pack_into(">I", out, at, count + len(out) - len(tree))
    struct.pack_into(">i", out, N_BASKETS, n * repeats)
    struct.pack_into(">i", out, ROOM, room)
    for at in N_ENTRIES:
        struct.pack_into(">q", out, at, ENTRIES * repeats)
    return bytes(out)
