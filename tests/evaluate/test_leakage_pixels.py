"""Images that look alike, against every pair looked at by itself."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from catalogs.testing import make_catalog, make_images
from evaluate import leakage_pixels
from evaluate.errors import InputError
from evaluate.leakage_pixels import compare_pixels, find_alike, shrink
from tests.evaluate.test_leakage import run

RNG = np.random.default_rng(4)
IMAGES = RNG.integers(1, 9000, (12, 64, 64)).astype(np.uint16)


def thumbnail(image):
    """The plain twin of one image whose side divides by 8."""
    step = len(image) // 8
    means = np.array([[image[row : row + step, column : column + step].mean() for column in range(0, len(image), step)]
                      for row in range(0, len(image), step)])  # fmt: skip
    spread = means - means.mean()
    return (spread / np.sqrt((spread**2).sum())).reshape(-1)


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory):
    """Five labelled images; the other catalog has the first two of them, and three others."""
    folder = tmp_path_factory.mktemp("alike")
    labelled = make_catalog(folder / "labelled", locations=make_images(5, side_m=600), seasons=1, labels=("water", "forest"))
    make_catalog(folder / "seen", locations=make_images(2, side_m=600, slug="seen"), seasons=1)
    return str(folder / "seen"), str(labelled)


def test_a_thumbnail_is_that_of_its_plain_twin():
    np.testing.assert_allclose(shrink(torch.from_numpy(IMAGES), None), [thumbnail(each) for each in IMAGES], atol=1e-6)


def test_gain_offset_and_size_change_nothing():
    changed = torch.from_numpy(IMAGES.repeat(2, axis=1).repeat(2, axis=2)).double() * 0.3 + 1000
    np.testing.assert_allclose(shrink(changed, None), shrink(torch.from_numpy(IMAGES), None), atol=1e-6)


def test_what_is_no_measurement_counts_for_nothing():
    holed = torch.from_numpy(IMAGES.astype(np.float64))
    holed[:, :8, :8] = 0
    holed[:, 20, 20] = torch.nan
    found = shrink(holed, 0)
    assert torch.isfinite(found).all()
    assert (found[:, 0] == 0).all()
    filled = IMAGES.astype(np.float64)
    cells = filled.reshape(12, 8, 8, 8, 8).mean(axis=(2, 4))
    assert np.corrcoef(found[0, 1:], cells[0].reshape(-1)[1:])[0, 1] > 0.999


def test_an_image_that_is_the_same_everywhere_is_like_no_other():
    flat = shrink(torch.full((2, 64, 64), 77.7), None)
    assert (flat == 0).all()
    assert len(find_alike(flat, flat)[0]) == 0
    assert (shrink(torch.zeros(1, 64, 64), 0) == 0).all()


@pytest.mark.parametrize("rows", [1024, 3])
def test_the_pairs_are_those_of_every_pair_looked_at(rows, monkeypatch):
    monkeypatch.setattr(leakage_pixels, "ROWS", rows)
    held = np.concatenate([IMAGES[::-1] + RNG.normal(0, size, IMAGES.shape) for size in (1, 3000, 6000)])
    asked, held = shrink(torch.from_numpy(IMAGES), None), shrink(torch.from_numpy(held), None)
    pairs = [(np.linalg.norm(one - other), row, place) for row, one in enumerate(asked) for place, other in enumerate(held)]
    expected = sorted((row, distance, place) for distance, row, place in pairs if distance <= 0.9)
    found = find_alike(asked, held, largest=0.9)
    assert found[0].tolist() == [row for row, _, _ in expected]
    assert found[1].tolist() == [place for _, _, place in expected]
    np.testing.assert_allclose(found[2], [distance for _, distance, _ in expected], atol=1e-5)
    assert 12 < len(expected) < len(pairs)


def test_images_of_two_catalogs_are_found(catalogs):
    alike = compare_pixels(*catalogs, "B04")
    assert (alike.images, alike.pretrain_images, alike.flat) == (5, 2, 0)
    rows = alike.pairs.to_pylist()
    assert [(row["location"], row["split"], row["pretrain_location"], row["pretrain_split"]) for row in rows] == [
        ("image-000000", "train", "seen-000000", "train"),
        ("image-000001", "train", "seen-000001", "train"),
    ]
    assert [row["distance"] for row in rows] == pytest.approx([0, 0], abs=1e-3)
    assert all(row["item"].startswith(row["location"]) for row in rows)


def test_every_sensor_with_the_band_is_looked_at(catalogs, tmp_path):
    sensors = ("sentinel-2-l2a", "sentinel-2-l1c")
    both = make_catalog(tmp_path / "both", locations=make_images(2, side_m=600), sensors=sensors, seasons=1)
    alike = compare_pixels(str(both), catalogs[1], "B04", workers=1)
    assert alike.pretrain_images == 4
    assert alike.pairs["location"].to_pylist() == ["image-000000"] * 2 + ["image-000001"] * 2


def test_a_band_may_be_called_by_its_common_name(catalogs):
    assert compare_pixels(*catalogs, "red").pairs == compare_pixels(*catalogs, "B04").pairs


def test_only_images_that_pre_training_reads_are_called_trained(catalogs, tmp_path):
    seen = make_catalog(tmp_path / "seen", locations=make_images(4, side_m=600, slug="seen"), seasons=1)
    assert compare_pixels(str(seen), catalogs[1], "B04").pairs["trained"].to_pylist() == [True, True, False, False]
    unsplit = [replace(image, split="none") for image in make_images(2, side_m=600, slug="seen")]
    whole = make_catalog(tmp_path / "whole", locations=unsplit, seasons=1)
    assert compare_pixels(str(whole), catalogs[1], "B04").pairs["trained"].to_pylist() == [True, True]


COPIES = {
    "resized": lambda image: image.resize((96, 96)).resize((64, 64)),
    "darker": lambda image: image.point(lambda value: 0.8 * value + 10),
    "compressed": lambda image: recompress(image, quality=75),
}


def recompress(image, *, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


@pytest.mark.parametrize(("kind", "least"), [("resized", 1), ("darker", 0.95), ("compressed", 0.8)])
def test_copies_of_real_images_are_found_and_nothing_else_is(kind, least, shared_data):
    with zipfile.ZipFile(shared_data / "eurosat_rgb" / "EuroSAT_RGB.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[::45]
        images = [Image.open(io.BytesIO(archive.read(name))).getchannel("R") for name in names]
    copied = range(0, len(images), 10)
    found = find_alike(*(thumbnails(each) for each in (images, [COPIES[kind](images[number]) for number in copied])))
    pairs = set(zip(found[0].tolist(), found[1].tolist(), strict=True))
    expected = {(number, place) for place, number in enumerate(copied)}
    assert len(images) == 600
    assert pairs <= expected
    assert len(pairs) >= least * len(expected)


def thumbnails(images):
    return shrink(torch.from_numpy(np.stack([np.asarray(image) for image in images])), None)


def test_a_band_that_no_sensor_has_is_told(catalogs):
    with pytest.raises(InputError, match=r"has no sensor with band 'red9'; it has sentinel-2-l2a: B01, .* Change --pixels"):
        compare_pixels(*catalogs, "red9")


def test_the_command_tells_and_keeps_what_looks_alike(catalogs, capsys, tmp_path):
    words = ("leakage", "--pretrain", catalogs[0], "--catalog", catalogs[1], "--workers", "0")
    assert run(*words, "--pixels", "B04", "--out", tmp_path / "a.json", "--quiet") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "B04 of 5 images, against 2: 2 (40.0%) look like another (2 pairs)" in lines
    assert [line.split("  ")[0] for line in lines[-2:]] == ["0.0000", "0.0000"]
    content = json.loads((tmp_path / "a.json").read_bytes())
    assert content["alike"]["pairs"] == compare_pixels(*catalogs, "B04").pairs.to_pylist()
    assert run(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["alike"] is None
