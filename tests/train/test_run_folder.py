"""A run folder: its record, the refusal of another run in it, and its metrics."""

import csv
import json
from dataclasses import fields, replace

import numpy as np
import pytest

from train.config import InputSpec
from train.errors import CheckpointError, ConfigError
from train.recipes import RECIPES, with_batch_size, with_view_size
from train.run_folder import (
    CONFIG,
    METRICS,
    Metrics,
    RunRecord,
    last_metrics,
    package_versions,
    read_record,
    refuse_other_run,
    write_record,
)

SPEC = InputSpec("sentinel-2-l2a", ("B04", "B11"), (0.0, 0.05), (0.3, 0.4), (0.45, 0.5), (0.2, 0.25), 64)
RECORD = RunRecord(
    config=RECIPES["seco"](),
    spec=SPEC,
    catalog="data/françe",
    catalog_id="france",
    index_hash="ab" * 32,
    locations=1000,
    queue=256,
    versions={"torch": "2.15.0"},
    git_commit="c" * 40,
    attribution="Contains modified Copernicus Sentinel data",
    bbox=(-1.5, 47.0, 2.0, 48.0),
    interval=("2023-01-01T00:00:00Z", "2023-12-31T00:00:00Z"),
)


def rows_of(run):
    with (run / METRICS).open(newline="") as file:
        return list(csv.DictReader(file))


def with_contrast(record, **changes):
    return replace(record, config=replace(record.config, contrast=replace(record.config.contrast, **changes)))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_record_comes_back_exactly(tmp_path, name):
    record = replace(RECORD, config=RECIPES[name](), further_specs=(SPEC, replace(SPEC, sensor="spot-ortho")))
    write_record(tmp_path / "new" / "run", record)
    assert read_record(tmp_path / "new" / "run") == record
    assert [path.name for path in (tmp_path / "new" / "run").iterdir()] == [CONFIG]


def test_a_record_without_what_may_be_absent_comes_back_exactly(tmp_path):
    absent = ("bbox", "interval", "further_specs")
    given = {each.name: getattr(RECORD, each.name) for each in fields(RunRecord) if each.name not in absent}
    record = RunRecord(**given)
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record


def test_versions_are_those_of_what_is_installed():
    assert package_versions()["numpy"] == np.__version__
    assert "seastars" in package_versions()


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds no run: it has no config.json. Expected a folder that train wrote."):
        read_record(tmp_path)


def damage(content, path, value):
    *parents, last = path
    for name in parents:
        content = content[name]
    if value is None:
        del content[last]
    else:
        content[last] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (
            ("config",),
            None,
            r"cannot be read: RunRecord lacks config. Was it written by another version\? Resume it with",
        ),
        (("catalog_id",), None, "cannot be read: RunRecord lacks catalog_id"),
        (("colour",), "blue", "cannot be read: Unknown setting 'colour' of RunRecord"),
        (("config", "optimizer", "lrs"), 0.1, r"cannot be read: Unknown setting 'lrs' of Optimizer. Did you mean 'lr'\?"),
        (("config", "batch_size"), 0, "cannot be read: batch_size is 0; expected 1 or more"),
        (("config", "batch_size"), "many", r"cannot be read: '<' not supported .*'int'\. Resume it with"),
        (("config", "views", 0, "crop", "scale"), [0.1], r"cannot be read: \[0.1\] has 1 values; expected 2"),
    ],
)
def test_a_record_that_does_not_fit_is_refused_with_the_reason(tmp_path, path, value, words):
    write_record(tmp_path, RECORD)
    content = json.loads((tmp_path / CONFIG).read_text())
    damage(content, path, value)
    (tmp_path / CONFIG).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=words):
        read_record(tmp_path)


def test_a_record_that_is_no_json_is_refused(tmp_path):
    (tmp_path / CONFIG).write_text("{")
    with pytest.raises(CheckpointError, match=r"config.json cannot be read: Expecting property name"):
        read_record(tmp_path)


def test_the_same_settings_on_the_same_catalog_go_on_wherever_it_is(tmp_path):
    refuse_other_run(tmp_path, RECORD, replace(RECORD, catalog="elsewhere/france", versions={}, git_commit=None))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (replace(RECORD, config=replace(RECORD.config, seed=7)), "holds a run with seed 0; asked for is 7. Give another --out"),
        (replace(RECORD, config=replace(RECORD.config, bands=("B04",))), r"with bands \(\); asked for is \('B04',\)"),
        (with_contrast(RECORD, temperature=0.2), "with contrast.temperature 0.07; asked for is 0.2"),
        (with_contrast(RECORD, queue=512), "with contrast.queue None; asked for is 512"),
        (replace(RECORD, config=with_view_size(RECORD.config, 48)), "with views.0.crop.size_px 224; asked for is 48"),
        (replace(RECORD, config=RECIPES["moco"]()), "with method 'seco'; asked for is 'moco'"),
        (replace(RECORD, config=with_batch_size(RECORD.config, 128)), "with optimizer.lr 0.03; asked for is 0.015"),
        (replace(RECORD, config=replace(RECORD.config, views=RECORD.config.views[:2])), "holds a run with views "),
        (replace(RECORD, init="runs/other"), "with init None; asked for is 'runs/other'"),
    ],
)
def test_other_settings_are_refused_and_the_first_is_named(tmp_path, changed, words):
    run = tmp_path / "run"
    with pytest.raises(ConfigError, match=words) as raised:
        refuse_other_run(run, RECORD, changed)
    assert str(raised.value).startswith(f"{run} holds a run with ")
    assert str(raised.value).endswith(f"or continue it as it is: train resume {run}.")


@pytest.mark.parametrize("changes", [{"index_hash": "cd" * 32}, {"catalog_id": "spain", "catalog": "data/spain"}])
def test_another_catalog_is_refused(changes):
    asked = replace(RECORD, **changes)
    words = (
        f"was trained on catalog france with index abababababab; {asked.catalog} is {asked.catalog_id} with index "
        f"{asked.index_hash[:12]}. Give another --out, or start from it: --init runs/a."
    )
    with pytest.raises(ConfigError, match=words):
        refuse_other_run("runs/a", RECORD, asked)


def test_every_setting_is_part_of_the_identity():
    config = RECORD.config
    changes = {
        "optimizer": replace(config.optimizer, momentum=0.5),
        "contrast": replace(config.contrast, dim=64),
        "views": config.views[::-1],
    }
    others = ("distillation", "alignment", "sensors")
    for each in (each for each in fields(config) if each.name not in others):
        value = getattr(config, each.name)
        other = changes.get(each.name) or (not value if isinstance(value, bool) else _another(each.name, value))
        assert replace(RECORD, config=replace(config, **{each.name: other})).identity != RECORD.identity, each.name


def test_several_sensors_are_part_of_the_identity_and_come_back():
    config = RECIPES["x_stars"]()
    record = replace(RECORD, config=config, further_specs=(replace(SPEC, sensor="spot-ortho", bands=("red", "nir")),))
    for changes in ({"alignment": replace(config.alignment, crop_m=600.0)}, {"sensors": ("spot-ortho", "naip")}):
        assert replace(record, config=replace(config, **changes)).identity != record.identity
    assert [each.sensor for each in record.specs] == ["sentinel-2-l2a", "spot-ortho"]
    assert record.channels == {"sentinel-2-l2a": 2, "spot-ortho": 2}
    assert RECORD.specs == (SPEC,)
    assert RECORD.channels == 2


def test_a_catalog_that_differs_in_the_second_sensor_alone_is_told_apart():
    known, asked = (replace(RECORD, index_hash="+".join(["ab" * 32, second * 32])) for second in ("cd", "ef"))
    words = r"with index abababababab\+cdcdcdcdcdcd; .* is france with index abababababab\+efefefefefef\. Give another"
    with pytest.raises(ConfigError, match=words):
        refuse_other_run("runs/a", known, asked)


def _another(name, value):
    special = {"precision": "32-true", "scaling": "native", "sensor": "spot-ortho", "bands": ("B04",), "drop_path": 0.1}
    return special.get(name) or (value + 1 if isinstance(value, int) else f"{value}x")


def test_metrics_are_rows_of_numbers(tmp_path):
    metrics = Metrics(tmp_path, step=0)
    metrics.add({"step": 10, "loss": 0.1234567890123, "rank": 12})
    metrics.add({"step": 20, "loss": np.float64(2.5), "rank": np.float32(0.5)})
    assert (tmp_path / METRICS).read_text() == "step,loss,rank\n10,0.123456789,12\n20,2.5,0.5\n"
    assert last_metrics(tmp_path) == {"step": 20.0, "loss": 2.5, "rank": 0.5}


def test_metrics_are_on_disk_after_every_row(tmp_path):
    metrics = Metrics(tmp_path, step=0)
    for step in range(1, 4):
        metrics.add({"step": step, "loss": 1.0})
        assert [row["step"] for row in rows_of(tmp_path)] == [str(number) for number in range(1, step + 1)]


def test_rows_after_the_step_that_a_run_goes_on_from_are_removed(tmp_path):
    metrics = Metrics(tmp_path, step=0)
    for step in (10, 20, 30):
        metrics.add({"step": step, "loss": step / 10})
    again = Metrics(tmp_path, step=20)
    assert [row["step"] for row in rows_of(tmp_path)] == ["10", "20"]
    again.add({"step": 30, "loss": 7.5})
    assert [row["loss"] for row in rows_of(tmp_path)] == ["1", "2", "7.5"]


def test_a_run_that_begins_anew_leaves_no_rows_of_the_old_one(tmp_path):
    Metrics(tmp_path, step=0).add({"step": 10, "loss": 1.0})
    Metrics(tmp_path, step=0)
    assert rows_of(tmp_path) == []
    assert last_metrics(tmp_path) == {}


def test_a_row_that_was_cut_off_is_removed(tmp_path):
    Metrics(tmp_path, step=0).add({"step": 10, "loss": 1.0})
    with (tmp_path / METRICS).open("a") as file:
        file.write("1")
    Metrics(tmp_path, step=10).add({"step": 20, "loss": 2.0})
    assert [row["step"] for row in rows_of(tmp_path)] == ["10", "20"]


def test_a_row_that_was_cut_off_in_its_last_figure_is_removed(tmp_path):
    metrics = Metrics(tmp_path, step=0)
    for step in (10, 20):
        metrics.add({"step": step, "lr": 1e-6})
    text = (tmp_path / METRICS).read_bytes()
    assert text.endswith(b"1e-06\r\n")
    (tmp_path / METRICS).write_bytes(text[:-4])
    assert Metrics(tmp_path, step=20).figures() == [{"step": 10.0, "lr": 1e-6}]
    assert rows_of(tmp_path) == [{"step": "10", "lr": "1e-06"}]


@pytest.mark.parametrize("text", ["", "step\n", "step,loss\n"])
def test_a_file_without_rows_is_begun_anew(tmp_path, text):
    (tmp_path / METRICS).write_text(text)
    assert last_metrics(tmp_path) == {}
    Metrics(tmp_path, step=10).add({"step": 20, "loss": 2.0})
    assert rows_of(tmp_path) == [{"step": "20", "loss": "2"}]


def test_a_figure_that_comes_later_gets_a_column_and_earlier_rows_stay(tmp_path):
    metrics = Metrics(tmp_path, step=0)
    metrics.add({"step": 10, "loss": 3.0})
    metrics.add({"step": 20, "loss": 2.0, "knn": 0.75})
    metrics.add({"step": 30, "loss": 1.0})
    assert rows_of(tmp_path) == [
        {"step": "10", "loss": "3", "knn": ""},
        {"step": "20", "loss": "2", "knn": "0.75"},
        {"step": "30", "loss": "1", "knn": ""},
    ]
    assert last_metrics(tmp_path) == {"step": 30.0, "loss": 1.0}
    Metrics(tmp_path, step=30)
    assert rows_of(tmp_path)[1] == {"step": "20", "loss": "2", "knn": "0.75"}


def test_figures_of_the_same_step_share_a_row(tmp_path):
    metrics = Metrics(tmp_path, step=0)
    metrics.add({"step": 10, "loss": 3.0})
    metrics.add({"step": 10, "knn": 0.5})
    assert rows_of(tmp_path) == [{"step": "10", "loss": "3", "knn": "0.5"}]


def test_a_run_without_metrics_has_no_last_row(tmp_path):
    assert last_metrics(tmp_path) == {}
