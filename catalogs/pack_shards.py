"""Writing one shard of a pack: as a whole or not at all, an item in memory at a time, its checksum on the way."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from catalogs import layout
from catalogs.pack_plan import PackFile, PackPlan
from catalogs.pixels import SHA256_MULTIHASH
from catalogs.stack import Pixels


def write_shard(
    folder: Path, plan: PackPlan, pixels: Pixels, shard: int, *, check: Callable[[], None] | None = None
) -> tuple[PackFile, ...]:
    """Write one shard of every layer, as a whole or not at all.

    Args:
        folder: Of the pack.
        plan: Of the pack.
        pixels: Of its items.
        shard: Its number.
        check: Called before every item; whatever it raises stops the writing.

    Raises:
        MissingAssetError: A raster is not there.
        CatalogUnreachableError: A raster cannot be read.
        OSError: The disk is full or cannot be written.
    """
    names = [plan.shard_name(layer, shard) for layer in range(len(plan.layers))]
    buffers = [np.empty(layer.shape, layer.data_type) for layer in plan.layers]
    with ExitStack() as stack:
        parts = [stack.enter_context(_whole_file(folder / name)) for name in names]
        for number, part in enumerate(parts):
            part.write(_npy_header(plan.shape(number, shard), buffers[number].dtype))
        for item in plan.items_of(shard):
            if check:
                check()
            pixels.read_into(item, buffers)
            for part, buffer in zip(parts, buffers, strict=True):
                part.write(buffer.data)
    return tuple(PackFile(name, part.checksum, part.size) for name, part in zip(names, parts, strict=True))


class _Part:
    """A file that is being written, and what is known of it so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, content: bytes | memoryview) -> None:
        """Add bytes."""
        self._digest.update(content)
        self.size += self._file.write(content)

    @property
    def checksum(self) -> str:
        """Multihash of what was written."""
        return SHA256_MULTIHASH + self._digest.hexdigest()


@contextmanager
def _whole_file(path: Path) -> Iterator[_Part]:
    """A file to be written, which takes its name when it is complete and on the disk."""
    part = path.with_name(path.name + layout.TEMPORARY)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as file:
            yield _Part(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _npy_header(shape: tuple[int, ...], data_type: np.dtype[Any]) -> bytes:
    header = io.BytesIO()
    about = {"descr": np.lib.format.dtype_to_descr(data_type), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, about)
    return header.getvalue()
