"""Very high resolution of France from end to end: a double of the Geoplateforme, built, verified, held against its truth."""

import json

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from curate.sources import geoplateforme
from curate.sources.geoplateforme import wms
from tests.end_to_end.commands import curate, items_of
from tests.end_to_end.small_scenes import ITEMS, make_scenes
from tests.wms_double import DoubleLayer, Fault, exception, serve_wms, shown

SPOT, AERIAL, S2 = "spot-ortho", "aerial-ortho", "sentinel-2-l2a"
PARIS, LYON = (2.345, 48.86), (4.85, 45.76)
WEST = (0.0, 6_000_000.0, 700_000.0, 7_200_000.0)
LAYERS = {
    "ORTHOIMAGERY.ORTHO-SAT.SPOT.2021": DoubleLayer(seed=1),
    "ORTHOIMAGERY.ORTHO-SAT.SPOT.2022": DoubleLayer(seed=2),
    "ORTHOIMAGERY.ORTHOPHOTOS2021": DoubleLayer(covered=WEST, seed=3),
    "ORTHOIMAGERY.ORTHOPHOTOS.IRC.2021": DoubleLayer(covered=WEST, seed=4),
    "ORTHOIMAGERY.ORTHOPHOTOS": DoubleLayer(seed=5),
}
TWO_YEARS = ("--source", "geoplateforme", "--seasons", 2, "--start", "2021-01-01", "--end", "2023-01-01", "--quiet")


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(geoplateforme, "REQUESTS_PER_S", 1e6)
    monkeypatch.setattr(wms, "PAUSES_S", (0.01,))


@pytest.fixture
def served(monkeypatch):
    with serve_wms(LAYERS) as double:
        monkeypatch.setenv(geoplateforme.ADDRESS_VARIABLE, double.url)
        yield double


def sample(folder, *places, patch_m=120):
    features = [
        {"type": "Feature", "properties": {"name": str(number)}, "geometry": {"type": "Point", "coordinates": place}}
        for number, place in enumerate(places)
    ]
    folder.mkdir(parents=True)
    (folder / "places.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    words = (
        "--strategy",
        "file",
        "--from",
        folder / "places.geojson",
        "--patch-m",
        patch_m,
        "--out",
        folder / "cat",
        "--quiet",
    )
    assert curate("sample", *words) == 0
    return folder / "cat"


def truth(item, asset, layers):
    """What the asset's bands show in the made-up France: each of its layer, at the places of the square's pixels."""
    (height, width), (gsd, _, left, _, _, top) = asset["proj:shape"], asset["proj:transform"][:6]
    x, y = np.meshgrid(left + (np.arange(width) + 0.5) * gsd, top - (np.arange(height) + 0.5) * gsd)
    x, y = Transformer.from_crs(item["properties"]["proj:code"], 2154, always_xy=True).transform(x, y)
    return np.stack([shown(LAYERS[name], x, y)[index] for name, index in layers])


def test_yearly_spot_mosaics_become_a_catalog_that_verifies(served, tmp_path):
    folder = sample(tmp_path / "spot", PARIS, LYON)
    assert curate("build", folder, "--sensor", SPOT, *TWO_YEARS) == 0
    assert curate("verify", folder, "--deep", "--quiet") == 0
    items = items_of(folder, SPOT)
    assert len(items) == 4
    collection = json.loads((folder / SPOT / "collection.json").read_text())
    assert (collection["license"], collection["seastars:redistributable"]) == ("other", False)
    assert "Geoplateforme of IGN France" in {provider["name"] for provider in collection["providers"]}
    for path, item in items:
        properties = item["properties"]
        year = properties["start_datetime"][:4]
        assert (properties["datetime"], properties["end_datetime"]) == (None, f"{year}-12-31T23:59:59Z")
        assert properties["seastars:source"] == "geoplateforme"
        assert properties["seastars:source_id"] == f"ORTHOIMAGERY.ORTHO-SAT.SPOT.{year}"
        (asset,) = (asset for asset in item["assets"].values() if "data" in asset["roles"])
        assert asset["seastars:resampling"] == "cubic"
        assert [told["href"] for told in asset["seastars:sources"]] == [
            f"{served.url}?LAYERS={properties['seastars:source_id']}"
        ] * 3
        with rasterio.open(path.parent / asset["href"]) as raster:
            expected = truth(item, asset, [(properties["seastars:source_id"], index) for index in range(3)])
            np.testing.assert_allclose(raster.read().astype(int), expected.astype(int), atol=2)


def test_aerial_images_have_near_infrared_and_fail_where_nobody_flew(served, tmp_path, capsys):
    folder = sample(tmp_path / "aerial", PARIS, LYON)
    dates = ("--source", "geoplateforme", "--seasons", 1, "--start", "2021-01-01", "--end", "2022-01-01")
    assert curate("build", folder, "--sensor", AERIAL, *dates) == 0
    said = capsys.readouterr()
    assert "No scene of aerial-ortho over location" in said.err
    ((path, item),) = items_of(folder, AERIAL)
    collection = json.loads((folder / AERIAL / "collection.json").read_text())
    assert collection["license"] == "etalab-2.0"
    assert "seastars:redistributable" not in collection
    (asset,) = (asset for asset in item["assets"].values() if "data" in asset["roles"])
    assert [(band["name"], band["nodata"]) for band in asset["bands"]] == [("red", 0), ("green", 0), ("blue", 0), ("nir", 0)]
    rgb, infrared = "ORTHOIMAGERY.ORTHOPHOTOS2021", "ORTHOIMAGERY.ORTHOPHOTOS.IRC.2021"
    with rasterio.open(path.parent / asset["href"]) as raster:
        expected = truth(item, asset, [(rgb, 0), (rgb, 1), (rgb, 2), (infrared, 0)])
        np.testing.assert_allclose(raster.read().astype(int), expected.astype(int), atol=2)
    assert curate("verify", folder, "--quiet") == 0


@pytest.mark.slow
def test_both_sensors_of_a_year_make_pairs(served, tmp_path):
    folder = sample(tmp_path / "pairs", PARIS)
    dates = ("--source", "geoplateforme", "--seasons", 1, "--start", "2021-01-01", "--end", "2022-01-01", "--quiet")
    assert curate("build", folder, "--sensor", SPOT, "--sensor", AERIAL, "--max-delta-days", 0, *dates) == 0
    assert [len(items_of(folder, sensor)) for sensor in (SPOT, AERIAL)] == [1, 1]
    assert curate("verify", folder, "--quiet") == 0


def test_spot_and_files_of_another_source_make_pairs_of_one_square(served, tmp_path, capsys):
    make_scenes(tmp_path / "s2", 4)
    near = tmp_path / "s2" / ITEMS
    folder = sample(tmp_path / "pairs", (3.08, 48.69))
    dates = ("--seasons", 1, "--start", "2022-06-01", "--end", "2023-12-31", "--max-cloud", 100)
    bands = ("--bands", "B02,B04,red,green,blue")
    assert curate("build", folder, "--source", f"geoplateforme,{near}", "--sensor", SPOT, "--sensor", S2, *dates, *bands) == 0
    assert "Wrote 2 items" in capsys.readouterr().err
    told = {sensor: items_of(folder, sensor)[0][1]["properties"] for sensor in (SPOT, S2)}
    assert told[SPOT]["seastars:source"] == "geoplateforme"
    assert told[S2]["seastars:source_id"].startswith("scene-")
    assert told[SPOT]["proj:bbox"] == told[S2]["proj:bbox"]
    assert curate("verify", folder, "--quiet") == 0


def test_a_square_of_too_many_pixels_ends_the_build_with_the_side_to_choose(served, tmp_path, capsys):
    folder = sample(tmp_path / "large", PARIS, patch_m=2640)
    dates = ("--source", "geoplateforme", "--seasons", 1, "--start", "2021-01-01", "--end", "2022-01-01")
    assert curate("build", folder, "--sensor", AERIAL, *dates) == 2
    assert "Sample again with --patch-m 1200 or less, or leave that sensor out." in capsys.readouterr().err
    assert not served.maps


def test_a_square_of_too_many_pixels_is_refused_by_a_plan_too_and_beside_other_sources(served, tmp_path, capsys):
    folder = sample(tmp_path / "large", PARIS, patch_m=2640)
    dates = ("--seasons", 1, "--start", "2021-01-01", "--end", "2022-01-01")
    for source in ("geoplateforme", "geoplateforme,earth-search"):
        assert curate("plan", folder, "--source", source, "--sensor", AERIAL, *dates) == 2
        assert "--patch-m 1200 or less" in capsys.readouterr().err
    assert not any(asked["REQUEST"] == "GetMap" for asked in served.asked)
    assert "build" not in json.loads((folder / "recipe.json").read_text())
    assert curate("plan", folder, "--source", "geoplateforme", "--sensor", SPOT, *dates, "--quiet") == 0


def test_a_cluster_of_several_processes_is_refused(served, tmp_path, capsys):
    folder = sample(tmp_path / "cluster", PARIS)
    assert curate("build", folder, "--sensor", SPOT, *TWO_YEARS, "--scheduler", "local:2") == 2
    words = " ".join(capsys.readouterr().err.split())
    assert "--scheduler local:2 may be several processes, but geoplateforme is read by one. The Geoplateforme bans" in words
    assert "Leave --scheduler out, or give local:1." in words
    assert not served.asked


def test_an_image_that_fails_is_done_by_the_next_run(served, tmp_path, capsys):
    folder = sample(tmp_path / "broken", PARIS)
    served.faults.append(Fault(body=exception("NoApplicableCode", "cannot read the tile")))
    assert curate("build", folder, "--sensor", SPOT, *TWO_YEARS[:-1]) == 4
    assert "NoApplicableCode cannot read the tile" in capsys.readouterr().err
    assert len(items_of(folder, SPOT)) == 1
    assert curate("build", folder, *TWO_YEARS) == 0
    assert len(items_of(folder, SPOT)) == 2


def test_nobody_at_the_address_ends_a_build_with_what_to_do(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv(geoplateforme.ADDRESS_VARIABLE, "http://127.0.0.1:9/wms-r")
    folder = sample(tmp_path / "down", PARIS)
    assert curate("build", folder, "--sensor", SPOT, *TWO_YEARS) == 4
    assert (
        "127.0.0.1:9 does not answer (no connection, or it broke). Check the network, then run the same command again"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("patch_m", [120, pytest.param(2640, marks=pytest.mark.slow)])
def test_a_plan_predicts_requests_and_bytes_and_is_no_guess_at_files(served, tmp_path, capsys, patch_m):
    places = [(2.0 + 0.137 * number, 47.3 + 0.093 * number) for number in range(3 if patch_m > 1000 else 8)]
    folder = sample(tmp_path / "plan", *places, patch_m=patch_m)
    dates = ("--source", "geoplateforme", "--seasons", 1, "--start", "2021-01-01", "--end", "2022-01-01")
    assert curate("plan", folder, "--sensor", SPOT, *dates) == 0
    assert "no header of its scenes" not in capsys.readouterr().out
    assert curate("plan", folder, "--sensor", SPOT, *dates, "--json", "--quiet") == 0
    planned = json.loads(capsys.readouterr().out)
    assert curate("build", folder, "--sensor", SPOT, *dates, "--json", "--quiet") == 0
    fetched = json.loads(capsys.readouterr().out)["fetched"]
    assert planned["requests"] == pytest.approx(fetched["requests"], rel=0.35)
    assert planned["bytes"] == pytest.approx(fetched["bytes"], rel=0.35)
    assert planned["sensors"][SPOT]["is_sampled"]


def test_a_build_that_was_budgeted_ends_when_so_much_was_fetched(served, tmp_path):
    folder = sample(tmp_path / "budget", PARIS, LYON)
    assert curate("build", folder, "--sensor", SPOT, *TWO_YEARS, "--budget-gb", 0.01) in {0, 2}
    assert served.maps <= 4
