"""Answers to the tested items, and what they are worth: from classes or scores of labels to a `Score` and a `Result`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evaluate.band_matching import white_taken
from evaluate.confidence import LEVEL, REPEATS, bootstrap_measure
from evaluate.errors import InputError
from evaluate.item_table import ItemTable, box_centres
from evaluate.metrics import (
    average_precision_per_class,
    confusion_matrix,
    macro_average_precision,
    multilabel_f1,
)
from evaluate.opened import Opened
from evaluate.result import Result, Score
from evaluate.settings import Settings
from evaluate.task import TRAIN, Task
from evaluate.weighted import weighted_accuracy, weighted_micro_average_precision
from train.config import InputSpec, to_json

if TYPE_CHECKING:
    from evaluate.bench import Bench


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What was answered to each tested item: its class, or, where it may have several labels, how likely each is."""

    found: NDArray[np.int64] | None
    """Classes, (repeats, tested items); none of a task of several labels."""
    details: Mapping[str, Any]
    """What else is to be known of how they came about; JSON's types."""
    scores: NDArray[Any] | None = None
    """The greater the likelier, (repeats, tested items, classes); none of a task of one label. They are kept, and ranked, in
    single precision."""
    threshold: float = 0.5
    """Least score at which a label counts as answered, for F1."""
    members: int = 1
    """How many trainings the repeats are of, in equal parts and one after the other: the seeds of one recipe."""


def score_answers(
    name: str,
    answers: Answers,
    task: Task,
    *,
    features: int,
    bands: tuple[str, ...],
    seed: int,
    identity: str | None = None,
    spec: InputSpec | None = None,
) -> Score:
    """What answers are worth: accuracy, or micro average precision over the whole test part where items have several labels.

    With several repeats the value is their mean. The interval is a bootstrap over locations, and over the trainings too where
    there are several.

    Args:
        name: What answered, as users know it.
        answers: To the tested items, in their order.
        task: What was asked.
        features: Numbers per item that were answered from.
        bands: What was read.
        seed: Of the draws behind the interval.
        identity: Hash of the weights; none where there are none.
        spec: How pixels were scaled, resized and normalised; none where reflectance was taken as it is.

    Returns:
        A score that carries its answers along, until `make_result` moves them to the table of items.

    Raises:
        InputError: The answers have another shape than the task asks for, or a score is not a number.
    """
    kept = _kept(answers)
    _check_shape(kept, task)
    measure = weighted_micro_average_precision if task.is_multilabel else weighted_accuracy
    measured = measure(task.test.labels, kept)
    values = measured(np.ones(len(task.test), np.int64))
    return Score(
        name=name,
        identity=identity,
        bands=bands,
        input=to_json(spec) if spec else None,
        features=features,
        metric=task.metric,
        value=float(values.mean()),
        interval=bootstrap_measure(measured, task.test.locations, members=answers.members, seed=seed),
        confusion=None if task.is_multilabel else _confusion(kept, task),
        details=_details(answers, kept, values, task),
        found=kept,
    )


def make_result(bench: Bench, settings: Settings, protocol: dict[str, Any], scores: Sequence[Score]) -> Result:
    """Scores with all that makes them comparable, and what was answered to each item.

    Args:
        bench: The catalog and its question.
        settings: As they were chosen.
        protocol: The protocol's name, and every setting of its own that the answers hang on; JSON's types.
        scores: In the order to show.
    """
    task = bench.task
    found = [score.found for score in scores if score.found is not None]
    return Result(
        protocol=protocol | common_protocol(bench, settings, scores, test_split=task.test.split, drawn="locations"),
        catalog=str(bench.catalog.document.get("id")),
        catalog_hash=bench.stack.index_hash,
        split_hash=task.split_hash,
        sensor=bench.stack.sensor,
        classes=task.classes,
        train_items=len(task.train),
        test_items=len(task.test),
        test_locations=len(np.unique(task.test.locations)),
        unused_items=task.unused,
        chance=task.chance,
        scores=tuple(replace(score, found=None) for score in scores),
        items=_item_table(bench, found) if found and len(found) == len(scores) else None,
    )


def common_protocol(
    opened: Opened, settings: Settings, scores: Sequence[Score], *, test_split: str, drawn: str
) -> dict[str, Any]:
    """The settings that every score hangs on; what is named only where it counts leaves older results comparable.

    Args:
        opened: The catalog.
        settings: As they were chosen.
        scores: Of the result.
        test_split: Split that was tested.
        drawn: What intervals are drawn over, such as `locations`.
    """
    return {
        "train_split": TRAIN,
        "test_split": test_split,
        "season": settings.season,
        "seed": settings.seed,
        "interval": {"method": f"percentile bootstrap over {drawn}", "repeats": REPEATS, "level": LEVEL},
        **({"shuffled_labels": True} if settings.shuffle_labels else {}),
        **({"fill": list(settings.fill)} if settings.fill else {}),
        **white_taken(scores, opened.stack.sensor, settings.white),
    }


def _kept(answers: Answers) -> NDArray[Any]:
    """Classes, int64, or scores of labels, float32: what is measured is what is kept."""
    kept = answers.found if answers.scores is None else np.asarray(answers.scores, np.float32)
    assert kept is not None, "answers are classes or scores of labels"
    return kept


def _check_shape(kept: NDArray[Any], task: Task) -> None:
    expected = task.test.labels.shape
    if kept.shape[1:] != expected:
        what = "scores of labels (repeats, items, classes)" if task.is_multilabel else "classes (repeats, items)"
        raise InputError(f"Answers have shape {kept.shape}; expected {what}, {('any', *expected)}.")


def _confusion(found: NDArray[np.int64], task: Task) -> tuple[tuple[int, ...], ...]:
    truth = np.broadcast_to(task.test.labels, found.shape)
    return tuple(tuple(row) for row in confusion_matrix(truth, found, classes=len(task.classes)).tolist())


def _details(answers: Answers, kept: NDArray[Any], values: NDArray[np.float64], task: Task) -> dict[str, Any]:
    """What the answers say of themselves, with other figures of several labels and the spread of several seeds."""
    details = dict(answers.details)
    if task.is_multilabel:
        details |= _label_details(kept, answers.threshold, task)
    if answers.members > 1:
        each = values.reshape(answers.members, -1).mean(axis=1)
        details["seeds"] = {**details.get("seeds", {}), "values": each.tolist(), "spread": float(each.std(ddof=1))}
    return details


def _label_details(scores: NDArray[np.float32], threshold: float, task: Task) -> dict[str, Any]:
    """Other figures of several labels, each the mean of the repeats."""
    truth = task.test.labels.astype(np.bool_)
    f1 = np.mean([multilabel_f1(truth, each >= threshold) for each in scores], axis=0)
    precision = np.mean([average_precision_per_class(truth, each) for each in scores], axis=0)
    return {
        "macro_average_precision": float(np.mean([macro_average_precision(truth, each) for each in scores])),
        "macro_f1": float(f1[0]),
        "micro_f1": float(f1[1]),
        "threshold": threshold,
        "average_precision": {
            name: None if np.isnan(value) else float(value) for name, value in zip(task.classes, precision, strict=True)
        },
    }


def _item_table(bench: Bench, found: Sequence[NDArray[Any]]) -> ItemTable:
    test = bench.task.test
    boxes = bench.items.table["bbox"].take(pa.array(test.items)).combine_chunks()
    return ItemTable(test.ids, test.locations, test.labels, box_centres(boxes), tuple(found))
