"""Scores with and without what pre-training saw, against plain loops, from result files to words."""

import json
from dataclasses import replace

import numpy as np
import pytest

from catalogs.reader import open_catalog
from catalogs.testing import make_catalog, make_images, make_locations
from evaluate import cli
from evaluate.confidence import REPEATS
from evaluate.errors import InputError, ResultError
from evaluate.item_table import ItemTable, read_items
from evaluate.leakage import measure_leakage
from evaluate.leakage_pixels import compare_pixels
from evaluate.leakage_scores import clear, is_seen, open_results, score_without_seen
from evaluate.metrics import change_f1, mean_iou, micro_average_precision
from evaluate.result import write_result
from evaluate.weighted import weighted_accuracy, weighted_micro_average_precision
from tests.evaluate.test_compare import MOCO, RESULT

SENSOR = "sentinel-2-l2a"
SQUARES = make_locations(16, side_m=480)
TESTED = [square.id for square in SQUARES if square.split == "test"]
"""Numbers 3, 7, 11 and 15."""


def run(*words):
    """Run `evaluate` in this process and give its exit code."""
    with pytest.raises(SystemExit) as end:
        cli.main([str(word) for word in words])
    return end.value.code


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leakage") / "labelled"
    return str(make_catalog(folder, locations=SQUARES, seasons=2, labels=("water", "forest")))


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A pre-training catalog on the ground of tested squares 3 (in train) and 7 (in val)."""
    held = [replace(SQUARES[3], id="seen-000003", split="train"), replace(SQUARES[7], id="seen-000007", split="val")]
    return str(make_catalog(tmp_path_factory.mktemp("leakage") / "seen", locations=held, seasons=1, seed=50))


def write(path, catalog, *, scores=None, **changes):
    """A result of a catalog's test items, two of each location, all rightly answered but those of the first and last one."""
    items = open_catalog(catalog).items(sensor=SENSOR)
    table = items.table.filter(np.isin(items.table["split"].to_pylist(), ["test"]))
    locations = np.asarray(table["location"].to_pylist())
    truth = np.zeros(len(table), np.int64)
    found = np.isin(locations, [locations[0], locations[-1]]).astype(np.int64)
    ids = np.asarray(table["id"].to_pylist())
    answered = ItemTable(ids, locations, truth, np.full((len(ids), 2), np.nan), tuple(found[None] for _ in scores or [MOCO]))
    result = replace(
        RESULT,
        scores=scores or (replace(MOCO, value=0.5, interval=(0.1, 0.9)),),
        **{"catalog_hash": open_catalog(catalog).index_hash(SENSOR), "items": answered, **changes},
    )
    write_result(path, result)
    return path


def again(found, catalog, path):
    """Scores of a file without what was seen."""
    return score_without_seen(found, catalog, open_results(catalog, [path]))


def test_a_score_is_told_with_and_without_the_ground_that_pre_training_reads(labelled, seen, tmp_path):
    found = measure_leakage(seen, labelled)
    (scored,) = again(found, labelled, write(tmp_path / "a.json", labelled))
    assert (scored.items, scored.seen, scored.unknown) == (8, 2, 0)
    (score,) = scored.scores
    assert (score.name, score.value, score.interval) == ("runs/moco", 0.5, (0.1, 0.9))
    assert score.cleared == pytest.approx(4 / 6)
    assert score.difference == pytest.approx(4 / 6 - 0.5)
    assert 0 <= score.difference_interval[0] < score.difference < score.difference_interval[1]


def test_only_what_pre_training_reads_counts_as_seen(labelled, seen):
    items = ItemTable(np.array(TESTED), np.array(TESTED), np.zeros(4), np.zeros((4, 2)), ())
    assert is_seen(measure_leakage(seen, labelled), items).tolist() == [True, False, False, False]
    assert is_seen(measure_leakage(seen, labelled, buffer_m=5_900), items).tolist() == [True, False, False, False]


def test_images_that_look_alike_are_left_out_where_nobody_knows_the_ground(tmp_path):
    images, held = make_images(8, side_m=480), make_images(3, side_m=480, slug="held")
    labelled = str(make_catalog(tmp_path / "labelled", locations=images, seasons=1, seed=3000))
    pretrain = str(make_catalog(tmp_path / "held", locations=held, seasons=1, seed=6000))  # its first is the labelled fourth
    path = write(tmp_path / "a.json", labelled)
    found = measure_leakage(pretrain, labelled)
    with pytest.raises(
        InputError, match=r"Of none of the 2 items that .*a.json tested the ground is known.* Compare images: --pixels"
    ):
        again(found, labelled, path)
    alike = replace(found, alike=compare_pixels(pretrain, labelled, "B04"))
    (scored,) = again(alike, labelled, path)
    assert (scored.items, scored.seen, scored.unknown) == (2, 1, 0)
    assert scored.scores[0].cleared_interval is None


def test_intervals_are_those_of_a_plain_loop():
    rng = np.random.default_rng(4)
    groups = np.repeat(np.array(["a", "b", "c", "d", "e"]), 3)
    truth, found = rng.integers(0, 2, 15), rng.integers(0, 2, (2, 15))
    keep = ~np.isin(groups, ["b", "d"])
    right = (found == truth).mean(axis=0)
    again, kept, apart = np.random.default_rng(7), [], []
    for _ in range(REPEATS):
        rows = np.concatenate([3 * group + np.arange(3) for group in again.integers(5, size=5)])
        if keep[rows].any():
            kept.append(right[rows][keep[rows]].mean())
            apart.append(kept[-1] - right[rows].mean())
    score = replace(MOCO, value=float(right.mean()))
    cleared = clear(score, weighted_accuracy(truth, found), keep, groups, seed=7)
    assert cleared.cleared == pytest.approx(right[keep].mean())
    assert cleared.cleared_interval == pytest.approx(np.quantile(kept, [0.025, 0.975]))
    assert cleared.difference_interval == pytest.approx(np.quantile(apart, [0.025, 0.975]))


def test_seeds_are_drawn_along_with_locations():
    rng = np.random.default_rng(6)
    groups, truth = np.repeat(np.arange(30), 2).astype(str), rng.integers(0, 2, 60)
    good, bad = truth, np.where(rng.random(60) < 0.5, truth, 1 - truth)
    measure, keep = weighted_accuracy(truth, np.stack([good, bad])), np.arange(60) % 4 < 2
    one = replace(MOCO, value=0.75)
    two = replace(one, details={"seeds": {"weights": ["a", "b"]}})
    narrow, wide = (clear(score, measure, keep, groups, seed=0) for score in (one, two))
    assert narrow.cleared == wide.cleared
    assert wide.cleared_interval[0] < narrow.cleared_interval[0]
    assert wide.cleared_interval[1] == 1  # both draws are the good one, once in four


def test_nothing_seen_changes_nothing():
    truth = np.array([0, 1, 1, 0])
    measure = weighted_accuracy(truth, np.array([[0, 1, 0, 0]]))
    cleared = clear(replace(MOCO, value=0.75), measure, np.ones(4, bool), np.array(list("abcd")), seed=0)
    assert (cleared.cleared, cleared.difference, cleared.difference_interval) == (0.75, 0, (0, 0))


def test_labels_that_come_several_at_a_time_are_ranked_anew():
    rng = np.random.default_rng(5)
    truth, scores = rng.random((20, 3)) < 0.4, rng.random((1, 20, 3)).astype(np.float32)
    keep = rng.random(20) < 0.6
    measure = weighted_micro_average_precision(truth, scores)
    cleared = clear(replace(MOCO, metric="micro average precision"), measure, keep, np.arange(20).astype(str), seed=0)
    assert cleared.cleared == pytest.approx(micro_average_precision(truth[keep], scores[0][keep]))
    low, high = cleared.cleared_interval
    assert low < cleared.cleared < high


@pytest.mark.parametrize(("metric", "figure"), [("mean IoU", mean_iou), ("F1 of changed", change_f1)])
def test_pixels_are_added_up_anew_and_drawn_by_the_image_that_they_are_of(labelled, seen, tmp_path, metric, figure):
    counts = np.random.default_rng(8).integers(1, 40, size=(1, 8, 2, 2))
    table = read_items(write(tmp_path / "a.json", labelled))
    cities = np.array(["city-a", "city-b"])[np.isin(table.locations, TESTED[:3]).astype(int)]
    table = replace(table, truth=counts[0].sum(axis=2), found=(counts,), origins=cities)
    whole = figure(counts[0].sum(axis=0))
    path = write(tmp_path / "b.json", labelled, scores=(replace(MOCO, metric=metric, value=whole),), items=table)
    (scored,) = again(measure_leakage(seen, labelled), labelled, path)
    (score,) = scored.scores
    keep = table.locations != TESTED[0]
    assert score.cleared == figure(counts[0][keep].sum(axis=0))
    assert score.difference == score.cleared - whole
    rng, kept = np.random.default_rng(0), []
    for _ in range(REPEATS):
        drawn = np.concatenate([np.flatnonzero(cities == f"city-{'ab'[number]}") for number in rng.integers(2, size=2)])
        kept.append(figure(counts[0][drawn][keep[drawn]].sum(axis=0)))
    assert score.cleared_interval == pytest.approx(np.quantile(kept, [0.025, 0.975]))


def test_pairs_of_which_none_that_is_left_shows_change_are_refused(labelled, seen, tmp_path):
    table = read_items(write(tmp_path / "a.json", labelled))
    counts = np.full((1, 8, 2, 2), 3)
    counts[0, table.locations != TESTED[0], 1] = 0
    table = replace(table, truth=counts[0].sum(axis=2), found=(counts,))
    path = write(tmp_path / "b.json", labelled, scores=(replace(MOCO, metric="F1 of changed"),), items=table)
    with pytest.raises(
        InputError, match=r"saw 2 of 8 items that .*b.json tested: the 6 others show no pixel that changed\. Lower"
    ):
        again(measure_leakage(seen, labelled), labelled, path)


def test_people_and_machines_are_shown_both(labelled, seen, tmp_path, capsys):
    tenth = replace(MOCO, value=0.5, details={"fraction": 0.1})
    path = write(tmp_path / "a.json", labelled, scores=(replace(MOCO, value=0.5, interval=None), tenth))
    words = ("leakage", "--catalog", labelled, "--pretrain", seen, "--result", path)
    assert run(*words) == 0
    lines = capsys.readouterr().out.splitlines()
    start = lines.index(f"{path}: 2 (25.0%) of the tested items were seen in pre-training")
    assert lines[start + 1].split() == ["all", "interval", "without", "interval", "difference,", "points"]
    assert lines[start + 2].startswith("runs/moco                        50.0%              -    66.7%  ")
    assert lines[start + 3].startswith("runs/moco, 10 % of the labels    50.0%   75.0 - 93.8%    66.7%  ")
    assert "  +16.7 (" in lines[start + 2]
    assert run(*words, "--json", "--out", tmp_path / "out.json", "--quiet") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "out.json").read_text())
    assert told["scored"][0]["seen"] == 2
    assert [score["fraction"] for score in told["scored"][0]["scores"]] == [None, 0.1]


def test_ground_that_some_items_lack_is_told(labelled, seen, tmp_path, capsys):
    mixed = [*SQUARES[:4], *make_images(4, side_m=480)]
    catalog = str(make_catalog(tmp_path / "mixed", locations=mixed, seasons=1, labels=("water", "forest")))
    assert run("leakage", "--catalog", catalog, "--pretrain", labelled, "--result", write(tmp_path / "a.json", catalog)) == 0
    assert "0 (0.0%) of the tested items were seen in pre-training; of 1 nobody knows the ground" in capsys.readouterr().out


def test_what_cannot_be_scored_again_is_told(labelled, seen, tmp_path):
    theirs = write(tmp_path / "theirs.json", labelled, catalog_hash="0" * 64)
    with pytest.raises(ResultError, match=r"theirs.json was scored on another catalog: its index of sentinel-2-l2a is 0{12}, "):
        open_results(labelled, [theirs])
    without = write(tmp_path / "without.json", labelled, items=None)
    with pytest.raises(ResultError, match=r"without.json does not say what was answered to each item"):
        open_results(labelled, [without])
    batches = write(tmp_path / "batches.json", labelled, scores=(replace(MOCO, metric="F1 of changed, mean over batches"),))
    with pytest.raises(
        ResultError,
        match=r"batches.json has scores of F1 of changed, mean over batches, .* Expected accuracy, .*, F1 of changed: leave it",
    ):
        open_results(labelled, [batches])
    whole = replace(SQUARES[0], id="all-000000", split="none")
    everywhere = make_catalog(tmp_path / "everywhere", locations=[whole], seasons=1)
    with pytest.raises(InputError, match=r"Pre-training saw 8 of 8 items that .*a.json tested: nothing is left to score"):
        again(measure_leakage(str(everywhere), labelled, buffer_m=100_000), labelled, write(tmp_path / "a.json", labelled))
    truth = np.isin(np.arange(8), [0, 1])[:, None] & np.ones((8, 3), bool)
    table = replace(read_items(tmp_path / "a.json"), truth=truth, found=(np.ones((1, 8, 3), np.float32),))
    several = write(tmp_path / "b.json", labelled, scores=(replace(MOCO, metric="micro average precision"),), items=table)
    with pytest.raises(InputError, match=r"saw 2 of 8 items that .*b.json tested: the 6 others have no label"):
        again(measure_leakage(seen, labelled), labelled, several)
