"""How far scores are from the best one: on the same items, whatever their order, and silence where nobody knows."""

from dataclasses import replace

import numpy as np
import pytest

from evaluate import compare_differences
from evaluate.cli.compare import ranking_lines
from evaluate.compare import NO_FIGURE, UNPAIRED, rank_results, read_rankings, to_json
from evaluate.compare_differences import tell_apart
from evaluate.confidence import REPEATS
from evaluate.errors import ResultError
from evaluate.item_table import ItemTable
from evaluate.metrics import change_f1, mean_iou
from evaluate.result import write_result
from tests.evaluate.test_compare import MOCO, OTHER, RESULT, SECO
from tests.reference.paired import plain_paired_difference


def table(wrong, *, start=0):
    """Answers to 40 items of as many locations, so many of which are wrong."""
    ids = np.array([f"item-{number:02d}" for number in range(40)])
    truth = np.arange(40) % 2
    found = np.where((np.arange(40) >= start) & (np.arange(40) < start + wrong), 1 - truth, truth)
    return ItemTable(ids, ids, truth, np.full((40, 2), np.nan), (found[None],))


def reverse(items):
    return ItemTable(items.ids[::-1], items.locations[::-1], items.truth[::-1], items.lonlat, (items.found[0][:, ::-1],))


def test_scores_that_both_answered_the_same_items_are_told_apart(tmp_path):
    write_result(tmp_path / "a.json", replace(RESULT, scores=(MOCO,), items=table(6, start=4)))
    write_result(tmp_path / "b.json", replace(OTHER, scores=(SECO,), items=reverse(table(0))))
    rankings = tell_apart(read_rankings([tmp_path / "a.json", tmp_path / "b.json"]))
    best, other = rankings[0].entries
    assert best.to_best is None
    assert other.to_best.value == pytest.approx(-6 / 40)
    low, high = other.to_best.interval
    assert -0.5 < low < -6 / 40 < high < 0
    words = f"{100 * other.to_best.value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
    assert words.startswith("-15.0 (")
    assert any(words in line for line in ranking_lines(rankings))
    told = [score["to_best"] for score in to_json(rankings)["rankings"][0]["scores"]]
    assert told == [None, {"value": other.to_best.value, "interval": [low, high]}]


def pixels(right, *, order=slice(None)):
    """Matrices of 40 samples of 10 cities, of a share of whose pixels the answer is right."""
    rng = np.random.default_rng(1)
    ids = np.array([f"oscd-city{number % 10}-{number:06d}" for number in range(40)])
    truth = rng.integers(50, 100, size=(40, 2))
    hits = rng.binomial(truth, right)
    counts = np.stack([np.stack([hits[:, 0], (truth - hits)[:, 0]], 1), np.stack([(truth - hits)[:, 1], hits[:, 1]], 1)], 1)
    origins = np.array([name[:-7] for name in ids])
    nowhere = np.full((40, 2), np.nan)
    return ItemTable(ids[order], ids[order], truth[order], nowhere, (counts[None, order],), origins[order])


@pytest.mark.parametrize(("metric", "figure"), [("mean IoU", mean_iou), ("F1 of changed", change_f1)])
def test_pixels_are_told_apart_by_cities_that_are_drawn_for_both(tmp_path, metric, figure):
    moco, seco = (replace(score, metric=metric) for score in (MOCO, SECO))
    one, other = pixels(0.8), pixels(0.9)
    write_result(tmp_path / "a.json", replace(RESULT, scores=(moco,), items=one))
    write_result(tmp_path / "b.json", replace(RESULT, scores=(seco,), items=pixels(0.9, order=slice(None, None, -1))))
    (ranking,) = tell_apart(read_rankings([tmp_path / "a.json", tmp_path / "b.json"]))
    value, interval = plain_paired_difference(
        lambda times, counts: figure(np.repeat(counts, times, axis=0).sum(axis=0)),
        one.found[0],
        other.found[0],
        one.origins,
        seed=0,
        repeats=REPEATS,
    )
    found = ranking.entries[1].to_best
    assert (found.value, found.interval) == (pytest.approx(value), pytest.approx(interval))
    assert found.is_sure
    assert ranking.unpaired is None


def test_equal_answers_to_pixels_differ_by_nothing_at_all():
    entries = [replace(score, metric="mean IoU") for score in (MOCO, SECO)]
    both = [(str(number), replace(RESULT, scores=(each,), items=pixels(0.8))) for number, each in enumerate(entries)]
    (ranking,) = tell_apart(rank_results(both))
    assert (ranking.entries[1].to_best.value, ranking.entries[1].to_best.interval) == (0, (0, 0))


def test_nothing_is_told_of_other_items_of_batches_or_of_files_that_were_moved(tmp_path):
    others = replace(table(3), ids=np.array([f"other-{number}" for number in range(40)]))
    for result in (replace(OTHER, items=others), replace(OTHER, items=None)):
        whole = replace(RESULT, scores=(MOCO,), items=table(3))
        (ranking,) = tell_apart(rank_results([("a", whole), ("b", replace(result, scores=(SECO,)))]))
        assert ranking.entries[1].to_best is None
        assert ranking.unpaired == UNPAIRED
    batches = [replace(whole, scores=(replace(score, metric="mean over batches"),)) for score in (MOCO, SECO)]
    (ranking,) = tell_apart(rank_results([("a", batches[0]), ("b", batches[1])]))
    assert ranking.entries[1].to_best is None
    assert ranking.unpaired == NO_FIGURE.format(metric="mean over batches")
    write_result(tmp_path / "a.json", whole)
    (tmp_path / "a.items.parquet").rename(tmp_path / "b.items.parquet")
    assert read_rankings([tmp_path / "a.json"])[0].entries[0].answers is None
    write_result(tmp_path / "a.json", whole)
    (tmp_path / "a.items.parquet").write_bytes(b"")
    with pytest.raises(ResultError, match=r"a.items.parquet is not the table that a.json was written with"):
        read_rankings([tmp_path / "a.json"])


def test_people_see_how_far_it_is_where_they_have_to_wait(monkeypatch, capsys):
    rankings = rank_results([("a", replace(RESULT, scores=(MOCO,), items=table(3))), ("b", replace(RESULT, scores=(SECO,)))])
    assert tell_apart(rankings, quiet=False)[0].entries[1].to_best is None
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(compare_differences, "PATIENCE", 40)
    tell_apart(rankings, quiet=False)
    assert "Differences: 1/1" in capsys.readouterr().err
