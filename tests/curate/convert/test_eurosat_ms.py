"""EuroSAT of 13 bands: B8A, the last plane of the files, is at its place, and is what B8A of a Sentinel-2 catalog is."""

from functools import partial

import numpy as np
import pytest
import rasterio

from catalogs import open_catalog
from catalogs.bands import SENSORS
from catalogs.console import progress
from catalogs.stack import open_stack
from catalogs.testing import make_catalog, make_locations
from catalogs.validate import check_catalog
from curate.convert.conversion import Conversion
from curate.convert.eurosat import open_eurosat
from curate.convert.eurosat_ms import PLANES, open_eurosat_ms, read_image
from curate.errors import CurateError
from tests.catalogs.damage import messages
from tests.curate.convert.images import encode, make_folder, pack_zip, write_images

SENSOR = "eurosat-ms"
FILE_ORDER = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A"]
"""As the data set's authors state it, written out apart from the code."""


def make_planes(seed):
    """13 planes, each in a range of its own."""
    rng = np.random.default_rng(seed)
    return (1000 + 200 * np.arange(13)[:, None, None] + rng.integers(0, 200, (13, 64, 64))).astype("uint16")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    names = [f"Forest_{number}" for number in (1, 2, 10)] + ["SeaLake_1"]
    images = {f"{name.partition('_')[0]}/{name}.tif": encode(make_planes(seed), "GTiff") for seed, name in enumerate(names)}
    return write_images(tmp_path_factory.mktemp("ms"), images)


def convert(source, out):
    Conversion.prepare(out, open_eurosat_ms(source)).run(workers=1, watch=partial(progress, quiet=True))
    return open_catalog(out)


@pytest.fixture(scope="module")
def converted(folder, tmp_path_factory):
    return convert(folder, tmp_path_factory.mktemp("converted") / "cat")


def read_stack(catalog, sensor, bands, item):
    """Planes of an item as reflectance, by layer, in the stack's order of bands."""
    stack = open_stack(catalog, catalog.items(sensor=sensor), bands)
    arrays = stack.empty()
    stack.read_into(item, arrays)
    (layer,) = arrays
    return layer * stack.scale[item][:, None, None] + stack.offset[item][:, None, None]


def test_every_band_is_the_plane_of_its_name_and_b8a_the_last(converted):
    assert list(PLANES) == FILE_ORDER
    items = converted.items(sensor=SENSOR)
    assert [scene.source_id for scene in items] == ["Forest_1", "Forest_2", "Forest_10", "SeaLake_1"]
    for seed, scene in enumerate(items):
        planes = make_planes(seed)
        assert (converted.read(scene, bands=["B8A"])[0] == planes[12]).all()
        assert (converted.read(scene, bands=["B09"])[0] == planes[8]).all()
        assert (converted.read(scene, bands=["B10"])[0] == planes[9]).all()
        assert (converted.read(scene, bands=["B12"])[0] == planes[11]).all()
        for place, band in enumerate(FILE_ORDER):
            assert (read_stack(converted, SENSOR, [band], seed)[0] == planes[place] * np.float32(1e-4)).all()


def test_a_sentinel_2_catalog_gives_the_same_channels(tmp_path):
    native = open_catalog(
        make_catalog(tmp_path / "l1c", locations=make_locations(1, side_m=960), sensors=["sentinel-2-l1c"], seasons=1)
    )
    theirs = {}
    for band in SENSORS["sentinel-2-l1c"].bands:
        values = read_stack(native, "sentinel-2-l1c", [band.name], 0)[0]
        theirs[band.name] = np.kron(values, np.ones([round(band.gsd / 10)] * 2))[:64, :64]
    numbers = np.round(np.stack([theirs[band] for band in FILE_ORDER]) * 10_000).astype("uint16")
    ours = convert(write_images(tmp_path / "ms", {"River/River_1.tif": encode(numbers, "GTiff")}), tmp_path / "cat")
    for band in FILE_ORDER:
        assert np.allclose(read_stack(ours, SENSOR, [band], 0)[0], theirs[band], atol=6e-5)
    apart = np.abs(theirs["B8A"] - theirs["B09"]).mean()
    assert apart > 0.01, "B09 could not be told from B8A"


def test_the_catalog_is_valid(converted):
    report = check_catalog(converted.href, deep=True)
    assert report.is_valid, messages(report)
    collection = converted.collection(SENSOR)
    assert (collection["license"], "Helber" in collection["sci:citation"]) == ("MIT", True)


def test_an_image_has_the_split_of_its_name_in_the_jpeg_version(tmp_path):
    jpegs = open_eurosat(make_folder(tmp_path / "rgb", {"River": 12, "Forest": 9}), seed=4)
    names = {f"{image.labels[0]}/{image.name}.tif": b"" for image in jpegs.images}
    ours = open_eurosat_ms(write_images(tmp_path / "ms", names), seed=4)
    assert [(image.name, image.location.split) for image in ours.images] == [
        (image.name, image.location.split) for image in jpegs.images
    ]
    assert {image.location.split for image in ours.images} == {"train", "test"}
    assert ours.images[0].location.id == "eurosat-ms-000000"


def test_an_archive_and_a_folder_are_one_data_set(folder, tmp_path):
    archive = open_eurosat_ms(pack_zip(folder, tmp_path / "EuroSAT_MS.zip"), limit=3)
    whole = open_eurosat_ms(folder, limit=3)
    assert (archive.images, archive.recipe) == (whole.images, whole.recipe)
    assert (archive.decode(archive.images[0])[0].pixels == whole.decode(whole.images[0])[0].pixels).all()
    assert whole.remarks == ["There are 4 of the 27,000 images of EuroSAT."]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"II*\0 and no more", "it is no TIFF, or a damaged one"),
        (encode(make_planes(0), "GTiff")[:60_000], "it is no TIFF, or a damaged one"),
        (encode(make_planes(0)[:12], "GTiff"), "it has 12 x 64 x 64 values; expected 13 x 64 x 64"),
        (encode(make_planes(0).astype("float32"), "GTiff"), "it has 13 bands of float32; expected 13 of uint16"),
    ],
)
def test_what_is_no_image_of_13_bands_is_told(folder, tmp_path, content, words):
    write_images(tmp_path, {"Forest/Forest_1.tif": content})
    dataset = open_eurosat_ms(tmp_path)
    with pytest.raises(CurateError, match=words):
        read_image(dataset.decode.args[0], dataset.images[0])


def test_the_jpeg_version_is_told_from_it(tmp_path):
    with pytest.raises(
        CurateError, match=r"but no image of EuroSAT; expected EuroSAT_MS\.zip.*JPEG version is another data set: eurosat\.$"
    ):
        open_eurosat_ms(make_folder(tmp_path))


def test_real_files_keep_their_last_plane_as_b8a(shared_data):
    source = shared_data / "eurosat_ms"
    if not source.is_dir():
        pytest.skip(f"no {source}")
    dataset = open_eurosat_ms(source)
    assert len(dataset.images) == 200
    order = [band.name for band in SENSORS[SENSOR].bands]
    means = []
    for image in dataset.images:
        pixels = dataset.decode(image)[0].pixels
        with rasterio.open(source / image.member) as raster:
            assert (pixels[order.index("B8A")] == raster.read(13)).all()
            assert (pixels[order.index("B09")] == raster.read(9)).all()
        means.append(pixels.mean(axis=(1, 2)))
    spectra = dict(zip(order, np.transpose(means), strict=True))
    assert np.corrcoef(spectra["B8A"], spectra["B08"])[0, 1] > 0.98
    assert spectra["B10"].mean() < 50 < spectra["B09"].mean() < 0.5 * spectra["B8A"].mean()
