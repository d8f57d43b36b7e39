"""The STAC item of an export is valid, by schemas of this machine, and says what the export is."""

import json
from pathlib import Path

import numpy as np
import pystac
import pytest
from pystac.validation import JsonSchemaSTACValidator, set_validator, validate_dict

from catalogs.testing import make_catalog
from tests.train.exporting import make_export, make_provenance, make_spec
from train.exported import ITEM, Exported
from train.mlm import ALWAYS, model_item

PROCESSING = "https://stac-extensions.github.io/processing/v{}/schema.json"
EXPORTED = Exported("resnet10t", "ResNet", False, 512, 4_922_560, "cd" * 32, 19_700_000)


@pytest.fixture(scope="module", autouse=True)
def _offline_validator(shared_data):
    """Let pystac validate with schemas of this machine, and restore it after."""
    schemas = [json.loads(path.read_text()) for path in sorted((shared_data / "schemas").glob("*/*.json"))]
    found = {schema["$id"].rstrip("#"): schema for schema in schemas}
    # MLM 1.5.2 refers to processing 1.1.0, and the file of that version calls itself 1.0.0
    found[PROCESSING.format("1.1.0")] = found[PROCESSING.format("1.0.0")]
    validator = JsonSchemaSTACValidator()
    validator.schema_cache |= found
    set_validator(validator)
    yield
    set_validator(JsonSchemaSTACValidator())


def describe(spec=None, *, catalog_href="../data/france/catalog.json", exported=EXPORTED, **changed):
    item = model_item(exported, spec or make_spec(), make_provenance(**changed), catalog_href=catalog_href)
    return json.loads(json.dumps(item))


def check(item):
    """Schemas of the core and of every extension it names."""
    validated = validate_dict(item)
    assert set(item["stac_extensions"]) <= set(validated)


def test_the_item_is_valid():
    check(describe())


@pytest.mark.parametrize(
    "changed",
    [
        {"bbox": None, "interval": None},
        {"bbox": (170.0, -20.0, -170.0, -10.0)},
        {"created": "2026-03-01T12:00:00Z"},
        {"versions": {}},
        {"versions": {"torch": "2.11.0+cu128"}},
        {"versions": {"torch": "2.16.0a0+git1234"}},
        {"attribution": (), "license": "other", "figures": {}, "git_commit": None},
    ],
)
def test_the_item_is_valid_whatever_is_known(changed):
    check(describe(**changed))
    check(describe(catalog_href=None, **changed))


@pytest.mark.parametrize(
    ("sensor", "bands"),
    [
        ("sentinel-2-l2a", ("B08", "B8A", "B11")),
        ("landsat-c2-l2", ("red", "nir08")),
        ("sentinel-1-rtc", ("vv", "vh")),
        ("of-somebody-else", ("a", "b")),
        ("sentinel-2-l2a", ("B04", "ndvi")),
    ],
)
def test_the_item_is_valid_for_any_sensor(sensor, bands):
    spec = make_spec(bands)
    item = describe(type(spec)(**{name: getattr(spec, name) for name in spec.__slots__} | {"sensor": sensor}))
    check(item)
    assert [band["name"] for band in item["properties"]["bands"]] == list(bands)


def test_an_item_without_its_input_is_not_valid():
    item = describe()
    del item["properties"]["mlm:input"]
    with pytest.raises(pystac.STACValidationError):
        check(item)


def test_an_item_whose_bands_are_not_described_is_not_valid():
    item = describe()
    del item["properties"]["bands"]
    with pytest.raises(pystac.STACValidationError):
        check(item)


def test_the_item_says_what_goes_in():
    (given,) = describe(make_spec(("B08", "B04"), size_px=96, interpolation="bicubic"))["properties"]["mlm:input"]
    assert given["bands"] == ["B08", "B04"]
    assert given["input"] == {
        "shape": [-1, 2, 96, 96],
        "dim_order": ["batch", "bands", "height", "width"],
        "data_type": "float32",
    }
    assert given["resize_type"] == "interpolation-cubic"


def test_the_scaling_of_each_band_is_an_expression_that_computes():
    spec = make_spec()
    (given,) = describe(spec)["properties"]["mlm:input"]
    x = np.linspace(-0.1, 1, 23)
    for number, scaling in enumerate(given["value_scaling"]):
        low, high, mean, std = (getattr(spec, name)[number] for name in ("low", "high", "mean", "std"))
        expected = [(min(max((value - low) / (high - low), 0), 1) - mean) / std for value in x]
        assert eval(scaling["expression"], {"numpy": np, "x": x}) == pytest.approx(expected, abs=1e-12)


def test_the_item_says_what_comes_out_and_what_for():
    properties = describe()["properties"]
    (given,) = properties["mlm:output"]
    assert given["result"]["shape"] == [-1, 512]
    assert properties["mlm:tasks"] == given["tasks"] == ["similarity-search"]
    assert (properties["mlm:name"], properties["mlm:architecture"]) == ("seco-resnet10t-test", "ResNet")
    assert properties["mlm:pretrained_source"] == "test"


def test_bands_have_wavelength_and_scale():
    red = describe()["properties"]["bands"][0]
    assert red["eo:common_name"] == "red"
    assert red["raster:scale"] == 1e-4


def test_the_item_covers_what_was_trained_on():
    item = describe()
    assert item["bbox"] == [1.4, 43.5, 1.9, 43.7]
    assert item["properties"]["start_datetime"] == "2023-01-15T10:50:31Z"
    assert item["geometry"]["coordinates"][0][2] == [1.9, 43.7]
    assert item["properties"]["datetime"] is None


def test_where_nothing_is_known_of_it_the_item_is_of_no_place_and_of_all_time():
    item = describe(bbox=None, interval=None)
    assert item["geometry"] is None
    assert "bbox" not in item
    assert (item["properties"]["start_datetime"], item["properties"]["end_datetime"]) == ALWAYS


def test_the_item_links_to_its_catalog_and_to_its_file():
    item = describe()
    assert item["links"] == [
        {"rel": "derived_from", "href": "../data/france/catalog.json", "type": "application/json", "title": "test"}
    ]
    assert item["assets"]["model"]["file:checksum"] == "1220" + "cd" * 32
    assert item["assets"]["model"]["href"] == "./model.safetensors"


def test_pystac_reads_the_item_and_finds_the_catalog(tmp_path):
    (tmp_path / "weights").mkdir()
    path = tmp_path / "weights" / "item.json"
    path.write_text(json.dumps(describe()))
    item = pystac.Item.from_file(path)
    (link,) = item.get_links("derived_from")
    assert link.get_absolute_href() == str(tmp_path / "data" / "france" / "catalog.json")
    assert item.assets["model"].get_absolute_href() == str(tmp_path / "weights" / "model.safetensors")


def test_the_item_of_an_export_is_valid_and_leads_to_the_catalog(tmp_path, monkeypatch):
    make_catalog(tmp_path / "data" / "france")
    monkeypatch.chdir(tmp_path)
    make_export(Path("runs/a/weights"), catalog_href="data/france")
    content = json.loads((tmp_path / "runs" / "a" / "weights" / ITEM).read_text())
    check(content)
    assert content["links"][0]["href"] == "../../../data/france/catalog.json"
    item = pystac.Item.from_file(tmp_path / "runs" / "a" / "weights" / ITEM)
    catalog = item.get_links("derived_from")[0].resolve_stac_object().target
    assert isinstance(catalog, pystac.Catalog)
    assert item.assets["model"].extra_fields["file:size"] == (tmp_path / "runs/a/weights/model.safetensors").stat().st_size


def test_a_remote_catalog_is_linked_by_its_address(tmp_path):
    make_export(tmp_path / "out", catalog_href="https://host/france/")
    (link,) = json.loads((tmp_path / "out" / ITEM).read_text())["links"]
    assert link["href"] == "https://host/france/catalog.json"
