"""Small pictures: which bands, how stretched, and that they are read back as what was in the catalog."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from catalogs.reader import open_catalog
from catalogs.stack import open_stack
from catalogs.testing import make_catalog, make_locations
from evaluate.thumbnails import SIDE_PX, add_pictures, choose_colors, encode, stretch, take_pictures
from tests.evaluate.stacks import make_stack
from tests.evaluate.test_compare import MOCO, RESULT, SECO

PREFIX = "data:image/jpeg;base64,"


def decode(address):
    assert address.startswith(PREFIX)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.removeprefix(PREFIX)))))


def grey(image):
    """What JPEG keeps in full: brightness, not colour."""
    return np.asarray(Image.fromarray(image).convert("L"), float)


@pytest.mark.parametrize(
    ("layers", "bands"),
    [
        ({("B08", "B02", "B04", "B03"): 4, ("B11",): 2}, ("B04", "B03", "B02")),
        ({("B08", "B02", "B04"): 4, ("B11", "B12"): 2}, ("B08", "B02", "B04")),
        ({("B08", "B02"): 4, ("B05", "B06", "B07"): 2}, ("B08",)),
        ({("B04", "B03"): 4, ("B02",): 2}, ("B04",)),
    ],
)
def test_true_colours_are_shown_where_one_layer_has_them(layers, bands):
    arrays = {names: np.zeros((1, len(names), side, side), np.uint16) for names, side in layers.items()}
    assert choose_colors(make_stack(arrays, [band for names in layers for band in names])) == bands


def test_all_images_are_stretched_alike_between_percentiles():
    rng = np.random.default_rng(0)
    images = [rng.normal(place, 1, (3, 20, 20)) for place in (0, 5)]
    images[0][0, 3, 4] = np.nan
    shown = stretch(images)
    for band in range(3):
        low, high = np.nanpercentile(np.concatenate([image[band].reshape(-1) for image in images]), [2, 98])
        for image, each in zip(images, shown, strict=True):
            expected = np.clip((image[band] - low) / (high - low), 0, 1) * 255
            np.testing.assert_allclose(each[:, :, band], np.nan_to_num(np.round(expected)), atol=1)
    assert shown[0][3, 4, 0] == 0


def test_an_image_that_is_the_same_everywhere_or_unknown_is_black():
    assert not stretch([np.full((1, 4, 4), 0.3)])[0].any()
    assert not stretch([np.full((3, 4, 4), np.nan)])[0].any()


def test_a_picture_is_small_and_keeps_its_shape():
    image = np.tile(np.array([[200, 60, 20]], np.uint8), (240, 120, 1)).reshape(240, 120, 3)
    shown = decode(encode(image))
    assert shown.shape == (SIDE_PX, SIDE_PX // 2, 3)
    assert np.abs(shown.astype(int) - image[0, 0]).max() < 8
    assert decode(encode(image[:9, :9, :1])).shape == (9, 9)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return str(make_catalog(tmp_path_factory.mktemp("catalogs") / "demo", locations=make_locations(4, side_m=480), seasons=2))


def test_pictures_show_the_pixels_of_their_items(catalog):
    opened = open_catalog(catalog)
    items = opened.items(sensor="sentinel-2-l2a")
    stack = open_stack(opened, items, ["B04", "B03", "B02"])
    rows = [5, 2]
    ids = [items.table["id"][row].as_py() for row in rows]
    found = take_pictures(catalog, "sentinel-2-l2a", ids)
    assert (found.bands, list(found.by_id)) == (("B04", "B03", "B02"), ids)
    pixels = stack.empty()
    images = []
    for row in rows:
        stack.read_into(row, pixels)
        images.append(pixels[0] * 1e-4)
    shown = [grey(decode(found.by_id[name])) for name in ids]
    alike = np.corrcoef(np.stack([*shown, *map(grey, stretch(images))]).reshape(4, -1))[:2, 2:]
    assert alike.diagonal().min() > 0.98
    assert np.abs([alike[0, 1], alike[1, 0]]).max() < 0.5


def test_each_score_gets_the_pictures_of_its_own_neighbours(catalog):
    first, second, third = open_catalog(catalog).items(sensor="sentinel-2-l2a").table["id"].to_pylist()[:3]
    shown = [{"items": [{"id": first, "nearest": [{"id": other}]}]} for other in (second, third)]
    scores = (replace(MOCO, details={"neighbours": shown[0], "x": 1}), replace(SECO, details={"neighbours": shown[1]}), MOCO)
    found = add_pictures(replace(RESULT, scores=scores), catalog).scores
    assert [sorted(score.details["neighbours"]["pictures"]) for score in found[:2]] == [[first, second], [first, third]]
    assert found[0].details["x"] == 1
    assert found[0].details["neighbours"]["items"] == shown[0]["items"]
    assert found[0].details["neighbours"]["bands"] == ["B04", "B03", "B02"]
    assert found[2] == MOCO


def test_a_result_without_neighbours_reads_nothing():
    assert add_pictures(RESULT, "nowhere") is RESULT
