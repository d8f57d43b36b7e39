"""`curate sources` from outside: what it prints of each provider, and its exit code."""

import json
from importlib import import_module

import pytest

from catalogs.bands import SENSORS
from curate.cli import main
from curate.cli.sourcing import WIDTH
from curate.errors import SourceUnavailableError
from curate.sources import PROVIDERS
from curate.sources.about import ACCOUNT, FREE, PAID, Provider


def run(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["sources", *words])
    told = capsys.readouterr()
    return end.value.code, told.out, told.err


def test_every_provider_tells_all_that_a_newcomer_asks():
    for name, module in PROVIDERS.items():
        about = import_module(module).ABOUT
        assert isinstance(about, Provider)
        assert about.name == name
        assert all((about.title, about.account, about.limits, about.terms)), name
        assert about.account == "none" or about.setup, f"{name} needs {about.account}, and does not say how to get it"
        assert about.products, f"{name} has nothing"
        for product in about.products:
            assert product.sensor in SENSORS
            assert product.collection
            assert product.years
            assert product.access in (FREE, ACCOUNT, PAID)
            assert (product.access == PAID) is ("costs money" in product.note)
            own = [band.name for band in (*SENSORS[product.sensor].bands, SENSORS[product.sensor].mask) if band]
            assert set(product.lacks) < set(own)


def test_all_are_told_in_lines_that_fit(capsys):
    code, out, _ = run(capsys)
    assert code == 0
    for name, module in PROVIDERS.items():
        about = import_module(module).ABOUT
        assert f"{name}: {about.title}" in out
    assert "sentinel-2-l2a  12 + scl  10-60 m  2015-" in out
    assert "STAC API" in out
    assert all(len(line) <= WIDTH for line in out.splitlines() if not line.startswith(tuple(PROVIDERS)))


def test_it_begins_with_who_has_which_sensor_by_what_that_takes(capsys):
    _, out, _ = run(capsys)
    table = out.partition("\n\n")[0].splitlines()
    assert [" ".join(line.split()) for line in (table[0], table[3], table[4], table[7])] == [
        "sensor free, no account free account paid",
        "landsat-c2-l2 planetary-computer earth-engine earth-search, usgs",
        "sentinel-1-rtc planetary-computer - -",
        "spot-ortho geoplateforme - -",
    ]
    assert table[-1].startswith("  Without a network, --source simulated renders: sentinel-2-l2a, ")
    every = {product.sensor for module in PROVIDERS.values() for product in import_module(module).ABOUT.products}
    assert {line.split()[0] for line in table[1:-1]} == every


@pytest.mark.parametrize(
    ("typed", "sensors", "providers"),
    [
        ("landsat-c2-l2", 1, ["earth-search", "planetary-computer", "usgs", "earth-engine"]),
        ("S1", 3, ["earth-search", "planetary-computer", "earth-engine"]),
        ("naip", 1, ["earth-search", "planetary-computer"]),
    ],
)
def test_a_sensor_is_told_with_those_who_have_it_and_what_they_have_of_it(capsys, typed, sensors, providers):
    code, out, _ = run(capsys, typed)
    assert code == 0
    table, *blocks = out.split("\n\n")
    assert sum(line.startswith(f"  {typed.replace('S1', 'sentinel-1')}") for line in table.splitlines()) == sensors
    assert [block.partition(":")[0].strip() for block in blocks] == providers
    assert not [line for line in out.splitlines() if line.startswith("  sentinel-2")]
    assert "set up  AWS_ACCESS_KEY_ID" in out


def test_sensors_of_data_sets_are_no_sensors_of_sources(capsys):
    code, _, err = run(capsys, "eurosat-rgb")
    assert code == 2
    assert "No source has eurosat-rgb: it is of `curate convert`. Sensors of sources: sentinel-2-l2a, " in err


def test_a_product_is_told_with_the_bands_that_it_has(capsys):
    _, out, _ = run(capsys, "geoplateforme")
    assert "  spot-ortho    3      1.5 m   2013-  ORTHOIMAGERY" in out
    assert "  aerial-ortho  4      0.2 m   2020-  ORTHOIMAGERY" in out
    _, out, _ = run(capsys, "geoplateforme", "--json")
    spot, aerial = json.loads(out)["sources"][0]["products"]
    assert (list(spot["bands"]), list(aerial["bands"])) == (["red", "green", "blue"], ["red", "green", "blue", "nir"])
    assert (spot["access"], spot["mask"]) == (FREE, None)


def test_what_judges_clouds_is_needed_where_a_source_has_level_1c(capsys):
    for name, module in PROVIDERS.items():
        _, out, _ = run(capsys, name)
        has = any(product.sensor == "sentinel-2-l1c" for product in import_module(module).ABOUT.products)
        assert ("pip install 'seastars[clouds]' for sentinel-2-l1c" in out) is has, name


def test_one_that_is_named_tells_how_it_is_set_up(capsys):
    for name, module in PROVIDERS.items():
        setup = import_module(module).ABOUT.setup
        code, out, _ = run(capsys, name)
        assert code == 0
        assert ("set up  " in out) is bool(setup)
        assert all(word in out for word in setup.split())


def test_json_holds_the_same_for_machines(capsys):
    code, out, _ = run(capsys, "simulated", "--json")
    assert code == 0
    (told,) = json.loads(out)["sources"]
    assert told["name"] == "simulated"
    (landsat,) = [product for product in told["products"] if product["sensor"] == "landsat-c2-l2"]
    assert landsat["bands"]["B05"] == 30
    assert landsat["mask"] == "qa_pixel"
    assert "check" not in told


def test_a_typo_gets_a_guess(capsys):
    code, out, err = run(capsys, "earht-serch")
    assert (code, out) == (2, "")
    assert "Unknown source 'earht-serch'. Choose from: earth-search" in err
    assert "Did you mean 'earth-search'?" in err


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("gee", "Did you mean 'earth-engine'?"),
        ("sentinel-2-l3", "Did you mean 'sentinel-2-l2a'?"),
        ("sentinelsta", "Did you mean 'sentinelsat'?"),
        ("cdse,usgs", "Unknown source 'cdse,usgs'. Several have spaces between them here: curate sources cdse usgs"),
        (
            "https://me:planted@stac.example.org",
            "path can be a source is told by: curate build CATALOG --source https://stac.example.org --dry-run",
        ),
        ("mine.toml", "'mine.toml' is no provider, and `curate sources` tells of providers alone."),
    ],
)
def test_what_is_no_provider_is_told_with_what_to_type(capsys, typed, words):
    code, out, err = run(capsys, typed)
    assert (code, out) == (2, "")
    assert words in err
    assert "planted" not in err


def test_check_asks_each_and_ends_with_4_where_one_that_was_named_does_not_answer(capsys, monkeypatch):
    def silent():
        raise SourceUnavailableError("It does not answer (HTTP 503). Run it again later.")

    monkeypatch.setattr(import_module(PROVIDERS["earth-search"]), "check", silent)
    code, out, err = run(capsys, "earth-search", "simulated", "--check")
    assert code == 4
    assert "check  NO: It does not answer (HTTP 503). Run it again later." in out
    assert "check  needs no network" in out
    assert "Asking" in err
    code, out, _ = run(capsys, "earth-search", "simulated", "--check", "--json")
    assert code == 4
    assert [told["check"]["ok"] for told in json.loads(out)["sources"]] == [False, True]
    assert run(capsys, "simulated", "--check")[0] == 0


def test_of_all_one_that_needs_no_network_does_not_stand_in_for_the_others(capsys, monkeypatch):
    down, words = set(PROVIDERS) - {"simulated"}, "It does not answer."

    def checking(name):
        def ask():
            if name in down:
                raise SourceUnavailableError(words)
            return "answers"

        return ask

    for name in list(down):
        monkeypatch.setattr(import_module(PROVIDERS[name]), "check", checking(name))
    code, out, _ = run(capsys, "--check")
    assert (code, out.count(f"NO: {words}")) == (4, len(down))
    down.remove("usgs")
    assert run(capsys, "--check")[0] == 0


def test_a_detail_is_handed_on_to_whom_it_is_said_and_is_a_typing_error_elsewhere(capsys, monkeypatch):
    for name in ("earth-engine", "sentinelsat"):
        monkeypatch.setattr(import_module(PROVIDERS[name]), "check", lambda detail="": f"answers for {detail or 'nobody'}")
    code, out, _ = run(capsys, "earth-engine:my-project", "sentinelsat:https://hub.example/dhus", "earth-engine", "--check")
    assert code == 0
    for words in ("answers for my-project", "answers for https://hub.example/dhus", "answers for nobody"):
        assert f"check  {words}" in out
    for text in ("cdse:me", "simulated:x"):
        code, _, err = run(capsys, text, "--check")
        assert code == 2
        assert f"Unknown source '{text}'. Nothing follows its name; say '{text.partition(':')[0]}'." in err
