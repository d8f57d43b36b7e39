"""Mosaics of the user's own from end to end: SPOT in Open-Canopy's layout with its terms, and three real years of NAIP."""

import json
import shutil

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from rasterio.warp import Resampling, reproject

from catalogs.lattice import transformer
from tests.curate.sources.test_mosaics import LEFT, PX, TOP, ground, items_over, spoilt, square, write_tile
from tests.end_to_end.commands import curate, items_of
from tests.end_to_end.test_geoplateforme import sample
from tests.servers import free_port, serve_api, serve_files
from tests.trees import tree

OPEN_CANOPY = """
folder = "canopy_height"
title = "Open-Canopy"
url = "https://huggingface.co/datasets/AI4Forest/Open-Canopy"

[sensors.spot-ortho]
files = "{year}/spot/*.tif"
bands = ["red", "green", "blue"]
license = "etalab-2.0"
attribution = "SPOT 6/7 2021-2022, IGN and Airbus DS, through Open-Canopy"
"""
DINAMIS = OPEN_CANOPY.replace('license = "etalab-2.0"', 'license = "other"\nredistributable = false').replace(
    "Open-Canopy", "DINAMIS"
)
BY_DAY = OPEN_CANOPY.replace("{year}/spot/*.tif", "*/spot/compressed_pansharpened_{date}*.tif")
NAIP = """
folder = "naip"
title = "NAIP of one quarter quad"

[sensors.naip]
files = "m_4709963_se_14_1_{date}.tif"
bands = ["red", "green", "blue", "nir"]
"""
DAYS = ("20150926", "20170827", "20200831")


def data_asset(item):
    (asset,) = (asset for asset in item["assets"].values() if "data" in asset["roles"])
    return asset


def open_canopy(folder):
    """Files of two years under the names that Open-Canopy has them by: of each a day and a number."""
    for year, seed in ((2021, 1), (2022, 2)):
        for number, (column, row) in enumerate(((0, 0), (PX, 0), (0, PX), (PX, PX))):
            write_tile(
                folder / str(year) / "spot" / f"compressed_pansharpened_{year}040537446{number}.tif", column, row, seed=seed
            )
        (folder / str(year) / "spot.vrt").write_text("<VRTDataset/>")


@pytest.mark.parametrize(
    ("text", "free", "spans"),
    [
        (OPEN_CANOPY, True, [("2021-01-01", "2021-12-31"), ("2022-01-01", "2022-12-31")]),
        (DINAMIS, False, [("2021-01-01", "2021-12-31"), ("2022-01-01", "2022-12-31")]),
        (BY_DAY, True, [("2021-04-05", "2021-04-05"), ("2022-04-05", "2022-04-05")]),
    ],
)
def test_a_folder_of_spot_tiles_becomes_a_catalog_with_its_own_terms(tmp_path, monkeypatch, text, free, spans):
    monkeypatch.chdir(tmp_path)
    open_canopy(tmp_path / "canopy_height")
    (tmp_path / "canopy.toml").write_text(text)
    lon, lat = transformer(2154, 4326).transform(LEFT + PX * 1.5, TOP - PX * 1.5)
    folder = sample(tmp_path / "places", (lon, lat))
    dates = ("--seasons", 2, "--start", "2021-01-01", "--end", "2023-01-01")
    assert curate("build", folder, "--source", "canopy.toml", "--sensor", "spot-ortho", *dates, "--quiet") == 0
    assert curate("verify", folder, "--deep", "--quiet") == 0
    items = items_of(folder, "spot-ortho")
    told = [item["properties"] for _, item in items]
    assert [(each["start_datetime"][:10], each["end_datetime"][:10]) for each in told] == spans
    for (path, item), seed in zip(items, (1, 2), strict=True):
        asset = data_asset(item)
        with rasterio.open(path.parent / asset["href"]) as ours:
            expected = np.zeros((3, *ours.shape), np.uint8)
            reproject(
                ground(0, 0, (2 * PX, 2 * PX), seed), expected, src_transform=Affine(1.5, 0, LEFT, 0, -1.5, TOP),
                src_crs="EPSG:2154", src_nodata=0, dst_transform=ours.transform, dst_crs=ours.crs, dst_nodata=0,
                resampling=Resampling.cubic, tolerance=0.0,
            )  # fmt: skip
            np.testing.assert_array_equal(ours.read(), expected)
        assert all(told["href"].endswith(".tif") and "/spot/compressed_" in told["href"] for told in asset["seastars:sources"])
    collection = json.loads((folder / "spot-ortho" / "collection.json").read_text())
    assert collection["license"] == ("etalab-2.0" if free else "other")
    assert collection.get("seastars:redistributable", True) is free


def test_a_build_that_goes_on_is_the_same_bytes_though_its_api_has_other_files_by_then(tmp_path):
    port, tiles = free_port(), tmp_path / "spot"
    for year, seed in ((2021, 1), (2022, 2)):
        for column, row in ((0, 0), (0, PX), (PX, 0), (PX, PX)):
            write_tile(tiles / str(year) / f"tile_{column}_{row}.tif", column, row, seed=seed)
    folder = sample(tmp_path / "places", transformer(2154, 4326).transform(LEFT + PX * 1.5, TOP - PX * 1.5))
    words = ("--sensor", "spot-ortho", "--seasons", 2, "--start", "2021-01-01", "--end", "2023-01-01", "--quiet")
    resumed, anew = (shutil.copytree(folder, tmp_path / name) for name in ("resumed", "anew"))
    with serve_files(tiles) as files:
        items = items_over(tiles, square(), files)
        with serve_api(items, port=port) as url:
            assert curate("build", folder, "--source", url, *words) == 0
        shutil.copytree(folder / ".seastars" / "search", resumed / ".seastars" / "search")
        with serve_api(spoilt(items), port=port) as url:
            assert curate("build", resumed, "--source", url, *words) == 0
            assert curate("build", anew, "--source", url, *words) == 0
    assert len(items_of(folder, "spot-ortho")) == 2
    assert tree(resumed / "spot-ortho") == tree(folder / "spot-ortho")
    assert tree(anew / "spot-ortho") != tree(folder / "spot-ortho")


def test_three_years_of_naip_are_scenes_of_their_days_on_one_square(tmp_path, monkeypatch, shared_data):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "naip").symlink_to(shared_data / "naip")
    (tmp_path / "naip.toml").write_text(NAIP)
    lon, lat = transformer(26914, 4326).transform(488_000, 5_207_500)
    folder = sample(tmp_path / "places", (lon, lat), patch_m=600)
    dates = ("--seasons", 6, "--start", "2015-01-01", "--end", "2021-01-01", "--quiet")
    assert curate("build", folder, "--source", "naip.toml", "--sensor", "naip", *dates) == 0
    assert curate("verify", folder, "--quiet") == 0
    items = items_of(folder, "naip")
    assert [item["properties"]["start_datetime"] for _, item in items] == [
        f"{day[:4]}-{day[4:6]}-{day[6:]}T00:00:00Z" for day in DAYS
    ]
    assert all(item["properties"]["datetime"] is None for _, item in items)
    assert len({tuple(item["properties"]["proj:bbox"]) for _, item in items}) == 1, "one square, whatever the origins"
    for (path, item), day in zip(items, DAYS, strict=True):
        asset = data_asset(item)
        assert asset["seastars:resampling"] == "cubic"
        with (
            rasterio.open(path.parent / asset["href"]) as ours,
            rasterio.open(tmp_path / "naip" / f"m_4709963_se_14_1_{day}.tif") as file,
        ):
            assert asset["seastars:sources"][0]["href"].endswith(f"naip/m_4709963_se_14_1_{day}.tif")
            expected = np.zeros((4, *ours.shape), np.uint8)
            reproject(
                file.read(), expected, src_transform=file.transform, src_crs=file.crs, src_nodata=0,
                dst_transform=ours.transform, dst_crs=ours.crs, dst_nodata=0, resampling=Resampling.cubic, tolerance=0.0,
            )  # fmt: skip
            assert np.mean(ours.read() == expected) > 0.999
            assert (ours.read() > 0).all()


def test_a_square_beside_the_only_naip_file_is_no_item(tmp_path, monkeypatch, shared_data, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "naip").symlink_to(shared_data / "naip")
    (tmp_path / "naip.toml").write_text(NAIP)
    lon, lat = transformer(26914, 4326).transform(485_900, 5_207_500)
    folder = sample(tmp_path / "places", (lon, lat), patch_m=600)
    dates = ("--seasons", 1, "--start", "2015-01-01", "--end", "2016-01-01")
    assert curate("build", folder, "--source", "naip.toml", "--sensor", "naip", *dates) == 2
    assert items_of(folder, "naip") == []
    assert "No scene of naip over location" in capsys.readouterr().err
