"""Pictures for people, as PNG, with nothing but numpy and zlib: the trainer has no library of images to draw with."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES = {1: 0, 3: 2}
"""PNG's number for grey and for red, green and blue."""


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """An image as the bytes of a PNG file.

    Args:
        image: (height, width) of grey, or (height, width, 3) of red, green and blue; 0 to 255.

    Raises:
        ValueError: It has another shape or type, or no pixel.

    References:
        W3C, Portable Network Graphics, third edition, sections 5, 7.2 and 11.2, https://www.w3.org/TR/png-3/
    """
    channels = 1 if image.ndim == 2 else image.shape[-1]
    if image.dtype != np.uint8 or image.ndim not in {2, 3} or channels not in COLOR_TYPES or not image.size:
        raise ValueError(
            f"An array of shape {image.shape} and type {image.dtype} is no picture. Give uint8 of (height, width) or "
            "(height, width, 3), with a pixel or more."
        )
    height, width = image.shape[:2]
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # each begins with 0: its bytes stand as they are
    lines[:, 1:] = image.reshape(height, -1)
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, COLOR_TYPES[channels], 0, 0, 0])
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def stretch(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Numbers as 0 to 255, `low` and less as 0, `high` and more as 255; 0 where the two are equal or a number is none."""
    span = high - low
    shares = (values - low) / span if span > 0 else np.zeros_like(values, np.float64)
    whole: NDArray[np.uint8] = np.rint(255 * np.nan_to_num(np.clip(shares, 0, 1))).astype(np.uint8)
    return whole


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content).to_bytes(4, "big")
    return len(content).to_bytes(4, "big") + name + content + checksum
