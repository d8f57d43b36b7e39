"""Integer-hashed noise: one number for one place, in any process, without tables, generators or state. Pure numpy.

Every value is computed element by element, so that a place has the same bits whatever array it is evaluated in.

References:
    Perlin, Improving Noise, SIGGRAPH 2002 (gradient noise and its quintic fade).
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_PRIMES = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
_GRADIENTS = np.array(
    [*((x, y, 0) for x, y in product((1, -1), repeat=2)), *((x, 0, z) for x, z in product((1, -1), repeat=2)),
     *((0, y, z) for y, z in product((1, -1), repeat=2)), (1, 1, 0), (-1, 1, 0), (0, -1, 1), (0, -1, -1)], float,
).T.copy()  # fmt: skip
_TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
"""A rotation, so that no lattice plane is parallel to the equator or to a meridian."""
_STRIDES = np.array(_PRIMES, np.uint32)[:, None, None]
_TOGETHER = 2048
"""Values of gradient noise that are made at once: those of their eight corners fit a core's cache."""
GRADIENT_STD = 0.27
"""Standard deviation of raw three-dimensional gradient noise, measured on 10^7 points."""


def scramble(bits: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Mix 32-bit words in place so that neighbours share nothing, and return them."""
    bits ^= bits >> 15
    bits *= 0x2C1B3C6D
    bits ^= bits >> 12
    bits *= 0x297A2D39
    bits ^= bits >> 15
    return bits


def hash_of(*parts: ArrayLike) -> NDArray[np.uint32]:
    """One 32-bit word per element from integers, which are broadcast together and keep their order.

    Args:
        parts: Integers or arrays of them, negative ones too.

    Returns:
        Words of the common shape, at least one-dimensional.
    """
    word, places = 0x9E3779B9, 0
    while places < len(parts) and (one := _single(parts[places])) is not None:
        word = _scrambled((word * 0x01000193 + one) & 0xFFFFFFFF)
        places += 1
    total = np.full(1, word, np.uint32)
    for part in parts[places:]:
        total = scramble(total * 0x01000193 + np.asarray(part).astype(np.int64).astype(np.uint32))
    return total


def _single(part: ArrayLike) -> int | None:
    """A number that stands alone, and so needs no array; none where there may be others."""
    array = np.asarray(part)
    return int(array.item()) if array.size == 1 and array.ndim < 2 else None


def _scrambled(bits: int) -> int:
    """What `scramble` makes of one word, without an array: a number hashed alone takes a seventh of the time."""
    bits ^= bits >> 15
    bits = bits * 0x2C1B3C6D & 0xFFFFFFFF
    bits ^= bits >> 12
    bits = bits * 0x297A2D39 & 0xFFFFFFFF
    return bits ^ bits >> 15


def stream(name: str) -> int:
    """A number for a name, to keep independent draws apart."""
    return crc32(name.encode())


def uniform(bits: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Words as numbers in [0, 1)."""
    return bits.astype(np.float64) * 2.0**-32


def draw(key: NDArray[np.uint32], name: str, low: float = 0.0, high: float = 1.0) -> NDArray[np.float64]:
    """A number between `low` and `high` for each key; another `name` gives an independent one."""
    return low + (high - low) * uniform(hash_of(key, stream(name)))


def value_noise(u: NDArray[Any], v: NDArray[Any], wavelength: float, seed: int) -> NDArray[np.float32]:
    """Smooth noise of a plane: cubic blends between random values on a square lattice.

    Args:
        u: First coordinates, metres, any shape.
        v: Second coordinates, metres, same shape.
        wavelength: Spacing of the lattice, metres.
        seed: Another seed is another noise.

    Returns:
        Values in -1..1 of mean 0, same shape.
    """
    column, s = _cell(u, wavelength)
    row, t = _cell(v, wavelength)
    left, low = column * _PRIMES[0], row * _PRIMES[1] + np.full(1, seed & 0xFFFFFFFF, np.uint32)
    right, high = left + _PRIMES[0], low + _PRIMES[1]
    bottom = _blend(_corner(left, low), _corner(right, low), s)
    top = _blend(_corner(left, high), _corner(right, high), s)
    return _blend(bottom, top, t)


def _cell(position: NDArray[Any], wavelength: float) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    scaled = (position * (1.0 / wavelength)).astype(np.float32, copy=False)
    whole = np.floor(scaled)
    part = scaled - whole
    return whole.astype(np.int32).view(np.uint32), part * part * (3 - 2 * part)


def _corner(x: NDArray[np.uint32], y: NDArray[np.uint32]) -> NDArray[np.float32]:
    value = scramble(x ^ y).view(np.int32).astype(np.float32)
    value *= np.float32(2.0**-31)
    return value


def _blend(first: NDArray[Any], second: NDArray[Any], weight: NDArray[Any]) -> NDArray[Any]:
    second -= first
    second *= weight
    second += first
    return second


def gradient_noise(xyz: NDArray[np.float64], wavelengths: ArrayLike, seeds: ArrayLike) -> NDArray[np.float64]:
    """Smooth noise of space, several layers at once.

    Args:
        xyz: Earth-centred coordinates, metres, (3, points).
        wavelengths: Spacing of each layer's lattice, metres, (layers,).
        seeds: Of each layer, (layers,).

    Returns:
        Values of mean 0 and standard deviation 1, (layers, points).
    """
    sizes, words = np.atleast_1d(np.asarray(wavelengths, float)), hash_of(seeds, stream("gradient"))
    turned = _TURN[:, :1] * xyz[0] + _TURN[:, 1:2] * xyz[1] + _TURN[:, 2:] * xyz[2]
    scaled = turned[:, None, :] / sizes[:, None] + 256 * uniform(np.stack([hash_of(words, k) for k in range(3)]))[:, :, None]
    noise = np.empty(scaled.shape[1:])
    step = max(1, _TOGETHER // len(sizes))
    for start in range(0, noise.shape[1], step):
        noise[:, start : start + step] = _between_corners(scaled[:, :, start : start + step], words)
    return noise / GRADIENT_STD


def _between_corners(scaled: NDArray[np.float64], words: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Perlin's blend of what the eight corners of each point's cell say.

    Args:
        scaled: Coordinates in cells, (3, layers, points).
        words: Of each layer, (layers,).

    Returns:
        (layers, points).
    """
    whole = np.floor(scaled)
    part = scaled - whole
    fade = part * part * part * (part * (part * 6 - 15) + 10)
    low = whole.astype(np.int64).astype(np.uint32) * _STRIDES
    x, y, z = np.stack([low, low + _STRIDES], axis=1)
    kind = (scramble(words[:, None] ^ x[:, None, None] ^ y[:, None] ^ z) & 15).astype(np.intp)
    x, y, z = np.stack([part, part - 1], axis=1)
    slope = _GRADIENTS[0].take(kind) * x[:, None, None]
    slope += _GRADIENTS[1].take(kind) * y[:, None]
    slope += _GRADIENTS[2].take(kind) * z
    x, y, z = np.stack([1 - fade, fade], axis=1)
    slope *= x[:, None, None] * y[:, None] * z
    total = np.zeros(scaled.shape[1:])
    for corner in slope.reshape(8, *total.shape):  # in this order in any array: numpy's own sum has several
        total += corner
    return total


def layered_noise(xyz: NDArray[np.float64], layers: dict[float, float], seeds: ArrayLike) -> NDArray[np.float64]:
    """A sum of gradient noises, scaled to standard deviation 1.

    Args:
        xyz: Earth-centred coordinates, metres, (3, points).
        layers: Amplitude of each wavelength in metres.
        seeds: One per result, (results,).

    Returns:
        Values of mean 0, nearly normal, (results, points).
    """
    words = hash_of(seeds)
    keys = np.stack([hash_of(words, index) for index in range(len(layers))], axis=1)
    sizes = np.broadcast_to(np.array(list(layers)), keys.shape)
    noise = gradient_noise(xyz, sizes.ravel(), keys.ravel()).reshape(*keys.shape, -1)
    weights = np.array(list(layers.values()))
    weights = weights / np.sqrt((weights**2).sum())
    total = np.zeros((keys.shape[0], xyz.shape[1]))
    for index, weight in enumerate(weights):
        total += weight * noise[:, index]
    return total


def smooth_step(low: float, high: float, values: NDArray[Any]) -> NDArray[Any]:
    """0 below `low`, 1 above `high`, a cubic between."""
    part = np.clip((values - low) * (1.0 / (high - low)), 0, 1)
    return part * part * (3 - 2 * part)
