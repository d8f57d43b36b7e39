import math
import subprocess
import sys
from itertools import product

import numpy as np
import pytest

from curate.simulation.noise import (
    _GRADIENTS,
    _PRIMES,
    _TURN,
    GRADIENT_STD,
    draw,
    gradient_noise,
    hash_of,
    layered_noise,
    smooth_step,
    stream,
    uniform,
    value_noise,
)

MASK = 0xFFFFFFFF


def plain_scramble(bits: int) -> int:
    bits ^= bits >> 15
    bits = bits * 0x2C1B3C6D & MASK
    bits ^= bits >> 12
    bits = bits * 0x297A2D39 & MASK
    return bits ^ bits >> 15


def plain_hash(*parts: int) -> int:
    total = 0x9E3779B9
    for part in parts:
        total = plain_scramble((total * 0x01000193 + part) & MASK)
    return total


def plain_value_noise(u: float, v: float, wavelength: float, seed: int) -> float:
    i, j = math.floor(u / wavelength), math.floor(v / wavelength)
    s, t = (3 * part**2 - 2 * part**3 for part in (u / wavelength - i, v / wavelength - j))

    def corner(x: int, y: int) -> float:
        word = plain_scramble((x * _PRIMES[0] & MASK) ^ (y * _PRIMES[1] + seed & MASK))
        return (word - 2**32 if word >= 2**31 else word) / 2**31

    low = corner(i, j) + (corner(i + 1, j) - corner(i, j)) * s
    high = corner(i, j + 1) + (corner(i + 1, j + 1) - corner(i, j + 1)) * s
    return low + (high - low) * t


def plain_gradient_noise(xyz: tuple[float, float, float], wavelength: float, seed: int) -> float:
    word = plain_hash(seed, stream("gradient"))
    scaled = [sum(_TURN[k, n] * xyz[n] for n in range(3)) / wavelength + 256 * plain_hash(word, k) / 2**32 for k in range(3)]
    whole = [math.floor(each) for each in scaled]
    part = [each - floor for each, floor in zip(scaled, whole, strict=True)]
    total = 0.0
    for corner in product((0, 1), repeat=3):
        bits = word
        for axis in range(3):
            bits ^= (whole[axis] + corner[axis]) * _PRIMES[axis] & MASK
        slope = _GRADIENTS[:, plain_scramble(bits) & 15]
        weight = math.prod(
            fade if step else 1 - fade
            for step, fade in zip(corner, (p**3 * (p * (p * 6 - 15) + 10) for p in part), strict=True)
        )
        total += weight * sum(slope[axis] * (part[axis] - corner[axis]) for axis in range(3))
    return total / GRADIENT_STD


def test_hashes_are_those_of_a_plain_loop_over_integers():
    parts = np.array([0, 1, -1, 2**31, -(2**40)])
    expected = [plain_hash(7, int(part) & MASK, 3) for part in parts]
    assert hash_of(7, parts, 3).tolist() == expected
    assert [hash_of(7, int(part), np.array([3])).tolist() for part in parts] == [[word] for word in expected]
    assert [hash_of(np.array(7), float(part), 3).tolist() for part in parts] == [[word] for word in expected]
    assert hash_of(7, parts[:0], 3).tolist() == []
    assert hash_of([[7]], 3).shape == (1, 1)


def test_hashes_are_the_same_in_another_process():
    code = "from curate.simulation.noise import *; print(hash_of(1, [2, -3], stream('x')).tolist())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert told == str(hash_of(1, [2, -3], stream("x")).tolist())


def test_the_order_of_what_is_hashed_matters():
    assert hash_of(1, 2)[0] != hash_of(2, 1)[0]


def test_hashes_fill_their_range_evenly_and_neighbours_share_nothing():
    numbers = uniform(hash_of(5, np.arange(200_000)))
    assert np.histogram(numbers, 20, (0, 1))[0].std() < 3 * math.sqrt(10_000)
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.01


def test_draws_of_other_names_are_independent_and_keep_their_bounds():
    key = hash_of(np.arange(20_000))
    first, second = draw(key, "first", -2, 3), draw(key, "second", -2, 3)
    assert first.min() >= -2
    assert first.max() < 3
    assert abs(first.mean() - 0.5) < 0.05
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03


def test_value_noise_is_that_of_a_plain_loop():
    rng = np.random.default_rng(0)
    u, v = rng.uniform(-500, 500, (2, 50)).astype(np.float32)
    expected = [plain_value_noise(float(a), float(b), 37.0, 11) for a, b in zip(u, v, strict=True)]
    assert np.allclose(value_noise(u, v, 37.0, 11), expected, atol=2e-4)


def test_gradient_noise_is_that_of_a_plain_loop():
    xyz = np.random.default_rng(0).uniform(-6.4e6, 6.4e6, (3, 20))
    noise = gradient_noise(xyz, [900.0, 30_000.0], [4, 5])
    for row, (wavelength, seed) in enumerate(((900.0, 4), (30_000.0, 5))):
        expected = [plain_gradient_noise((float(x), float(y), float(z)), wavelength, seed) for x, y, z in xyz.T]
        assert np.allclose(noise[row], expected, atol=1e-6)


def test_a_place_has_the_same_bits_whatever_array_it_is_in():
    rng = np.random.default_rng(1)
    u, v = rng.uniform(0, 5000, (2, 1001)).astype(np.float32)
    xyz = rng.uniform(-6e6, 6e6, (3, 1001))
    assert np.array_equal(value_noise(u, v, 21, 3)[37:400], value_noise(u[37:400].copy(), v[37:400].copy(), 21, 3))
    whole = layered_noise(xyz, {5000.0: 1.0, 700.0: 0.4}, [8])
    for start, end in ((37, 400), (5, 6)):
        assert np.array_equal(whole[:, start:end], layered_noise(xyz[:, start:end].copy(), {5000.0: 1.0, 700.0: 0.4}, [8]))
    together = layered_noise(xyz, {5000.0: 1.0, 700.0: 0.4}, range(20))
    assert np.array_equal(together[8], whole[0])


@pytest.mark.parametrize("layers", [{3000.0: 1.0}, {20_000.0: 0.7, 6000.0: 0.7, 900.0: 0.3}])
def test_noise_of_space_has_mean_0_and_standard_deviation_1(layers):
    xyz = np.random.default_rng(2).uniform(-6e6, 6e6, (3, 100_000))
    noise = layered_noise(xyz, layers, [1, 2])
    assert np.allclose(noise.mean(axis=1), 0, atol=0.02)
    assert np.allclose(noise.std(axis=1), 1, atol=0.04)
    assert abs(np.corrcoef(noise)[0, 1]) < 0.02


def test_noise_is_smooth():
    line = np.zeros((3, 2001))
    line[0], line[1] = np.arange(2001) * 0.5, 6.3e6
    assert np.abs(np.diff(gradient_noise(line, 500.0, 3)[0])).max() < 0.02


def test_a_smooth_step_is_half_in_the_middle():
    assert smooth_step(1.0, 3.0, np.array([0.0, 1, 2, 3, 9])).tolist() == [0, 0, 0.5, 1, 1]
