"""Blocks become pixels as TIFF says, value by value; damage is told and never decoded."""

import zlib

import numpy as np
import pyarrow as pa
import pytest

from catalogs import tiff_header as tiff
from curate.reading.blocks import Part
from curate.reading.decode import DamagedBlockError, Encoding

ROWS, WIDTH = 5, 9


def plain_differences(values):
    """TIFF 6.0, section 14, one value after the other: (rows, width, samples)."""
    found, most = values.copy(), 256**values.dtype.itemsize
    for row in range(values.shape[0]):
        for column in range(values.shape[1] - 1, 0, -1):
            for sample in range(values.shape[2]):
                step = int(values[row, column, sample]) - int(values[row, column - 1, sample])
                found[row, column, sample] = step % most
    return found


def plain_float_bytes(values):
    """Technical Note 3: the highest bytes of a row, then the next ones, and differences of these bytes, `samples` apart."""
    rows, width, samples = values.shape
    size = values.dtype.itemsize
    raw = np.zeros((rows, width * samples * size), np.uint8)
    for row in range(rows):
        high_first = values[row].reshape(-1).astype(values.dtype.newbyteorder(">")).view(np.uint8).reshape(-1, size)
        line = [int(high_first[pixel, byte]) for byte in range(size) for pixel in range(width * samples)]
        raw[row] = [(line[n] - (line[n - samples] if n >= samples else 0)) % 256 for n in range(len(line))]
    return raw


def values_of(name, samples, order="<"):
    raw = np.random.default_rng(0).integers(0, 256, ROWS * WIDTH * samples * np.dtype(name).itemsize, np.uint8)
    return raw.view(np.dtype(order + name)).reshape(ROWS, WIDTH, samples)


def parts():
    return [Part(slice(a, b), slice(c, d), (slice(0), slice(0))) for a, b, c, d in ((0, 5, 0, 9), (2, 3, 4, 5), (1, 4, 3, 9))]


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
@pytest.mark.parametrize("predictor", [tiff.NO_PREDICTOR, tiff.DIFFERENCES, tiff.FLOAT_BYTES])
def test_every_part_of_a_block_is_the_plain_twins(name, order, samples, predictor):
    if predictor == tiff.FLOAT_BYTES and name[0] != "f":
        return
    values = values_of(name, samples, order)
    unsigned = values.view(f"{order}u{values.dtype.itemsize}")
    if predictor == tiff.DIFFERENCES:
        content = plain_differences(unsigned).astype(unsigned.dtype).tobytes()
    elif predictor == tiff.FLOAT_BYTES:
        content = plain_float_bytes(values).tobytes()
    else:
        content = values.tobytes()
    encoding = Encoding(values.dtype, samples, tiff.DEFLATE, predictor, WIDTH)
    raw = encoding.unpack(zlib.compress(content), ROWS, ROWS)
    native = values.astype(values.dtype.newbyteorder("="))
    for part in parts():
        for sample in range(samples):
            expected = native[part.rows, part.columns, sample]
            frame = np.zeros((expected.shape[0] + 2, expected.shape[1] + 3), native.dtype)
            encoding.scatter(raw, part, sample, frame[1:-1, 1:-2])
            assert frame[1:-1, 1:-2].tobytes() == expected.tobytes()
            assert not frame[0].any()
            assert not frame[:, -2:].any()


def packed(compression, content):
    if compression == tiff.ZSTD:
        return bytes(pa.Codec("zstd").compress(content))
    return content if compression == tiff.RAW else zlib.compress(content)


@pytest.mark.parametrize("compression", [tiff.RAW, tiff.DEFLATE, tiff.OLD_DEFLATE, tiff.ZSTD])
def test_blocks_of_another_size_are_damaged(compression):
    encoding = Encoding(np.dtype("<u2"), 1, compression, tiff.NO_PREDICTOR, WIDTH)
    content = bytes(range(2 * WIDTH * ROWS))
    assert encoding.unpack(packed(compression, content), ROWS, ROWS).tobytes() == content
    for wrong in (b"", content[:-1], content + b"\0", content * 2):
        with pytest.raises(DamagedBlockError, match=r"holds \d+ bytes of pixels; expected 90|does not inflate to 90 bytes"):
            encoding.unpack(packed(compression, wrong), ROWS, ROWS)
    with pytest.raises(DamagedBlockError):
        encoding.unpack(packed(compression, content)[:-3], ROWS, ROWS)


def test_no_flipped_bit_of_a_deflated_block_goes_through():
    encoding = Encoding(np.dtype("u1"), 1, tiff.DEFLATE, tiff.NO_PREDICTOR, 32)
    content = np.random.default_rng(0).integers(0, 20, 1024, np.uint8).tobytes()
    good = zlib.compress(content)
    for bit in range(16, 8 * len(good), 7):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        try:
            found = encoding.unpack(bytes(bad), 32, 32).tobytes()
        except DamagedBlockError:
            continue
        assert found == content, "a bit that says nothing"


@pytest.mark.parametrize("compression", [tiff.RAW, tiff.DEFLATE, tiff.ZSTD])
def test_the_last_strip_may_be_filled_up(compression):
    encoding = Encoding(np.dtype("u1"), 1, compression, tiff.NO_PREDICTOR, WIDTH)
    assert encoding.unpack(packed(compression, bytes(WIDTH * 3)), 3, ROWS).shape == (3, WIDTH)
    assert encoding.unpack(packed(compression, bytes(WIDTH * ROWS)), 3, ROWS).shape == (ROWS, WIDTH)
    with pytest.raises(DamagedBlockError, match=r"holds 36 bytes of pixels; expected 27|does not inflate to 27 bytes"):
        encoding.unpack(packed(compression, bytes(WIDTH * 4)), 3, ROWS)
