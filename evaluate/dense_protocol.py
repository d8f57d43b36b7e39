"""What segmentation and change detection have in common: from a catalog with label rasters to scores side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from catalogs.console import progress
from evaluate.answers import Answers, common_protocol
from evaluate.asking import choose_device
from evaluate.dense_bench import DenseBench, open_dense_bench
from evaluate.dense_features import MapSource, PixelValues, Pyramid
from evaluate.dense_method import DenseAnswers, DenseMethod
from evaluate.dense_settings import DenseSettings
from evaluate.dense_task import DensePart, DenseTask
from evaluate.dense_training import Samples
from evaluate.entries import read_entries, spec_of, with_random
from evaluate.errors import InputError
from evaluate.item_table import ItemTable, box_centres
from evaluate.opened import find_sensors
from evaluate.result import Result, Score
from evaluate.seeds import join_answers, join_identities
from train.checkpoint import LoadedBackbone
from train.config import InputSpec, to_json


def run_dense(
    catalog: str,
    weights: Sequence[str],
    settings: DenseSettings,
    method: DenseMethod,
    *,
    baselines: bool = True,
    quiet: bool = True,
) -> Result:
    """Score weights on a catalog with label rasters.

    Samples of training locations teach, those of test locations, which are others, are tested. Backbones stay as they are.
    Weights that say what they read are fed with that; the others (`random:`, `timm:`) get the bands and the size of the first
    that do, scaled by what is measured on the training samples.

    Args:
        catalog: Path or address of the catalog.
        weights: What to score, see `load_backbone`; or several seeds of one training, joined by commas, which get one score
            together.
        settings: What is asked, and how.
        method: How maps become answers.
        baselines: Score what looks at pixels alone, and random weights of each architecture that is scored, too, and first.
        quiet: Show no progress.

    Raises:
        EvaluateError: The catalog cannot ask this question, or weights and catalog do not fit.
        CatalogError: The catalog cannot be read, or lacks label rasters or a band that weights read.
        TrainError: Weights cannot be loaded.
    """
    if not weights and not baselines:
        raise InputError("There is nothing to score. Give --weights, or leave out --no-baselines.")
    if settings.multilabel:
        raise InputError("A pixel has one label: leave out --multilabel. evaluate linear scores images of several labels.")
    device = choose_device(settings.device)
    entries = read_entries(weights, find_sensors(catalog, settings))
    bench = open_dense_bench(catalog, settings, entries.like, key=method.key)
    method.check(bench.task)
    run = _Run(bench, settings, method, device, quiet=quiet)
    items = np.unique(bench.task.train.inputs)
    fed = entries.feed(bench.stack, items, size_px=bench.size_px, seed=settings.seed)
    groups = [[run.adapt(each) for each in group] for group in fed]
    scores = run.score_pixels() if baselines else []
    for group in with_random(groups) if baselines else groups:
        scores += run.score_weights(group)
    return _result(bench, settings, method, scores)


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a method over one catalog."""

    bench: DenseBench
    settings: DenseSettings
    method: DenseMethod
    device: torch.device
    quiet: bool

    def adapt(self, loaded: LoadedBackbone) -> LoadedBackbone:
        """Weights with the input that the method gives them."""
        return replace(loaded, spec=self.method.adapt(spec_of(loaded), loaded, self.bench.task))

    def score_pixels(self) -> list[Score]:
        """Score reflectance, cut off at 0 and 1 and 0 where there is none, at the label rasters' own pixels."""
        stack, size = self.bench.stack, self.bench.task.size
        zeros, ones = (0.0,) * len(stack.bands), (1.0,) * len(stack.bands)
        spec = InputSpec(stack.sensor, stack.bands, low=zeros, high=ones, mean=zeros, std=ones, size_px=size[0])
        values = PixelValues(bands=len(stack.bands), size_px=size[0])
        samples = self._samples(self.method.pixels, values, spec)
        with self._teaching(self.method.pixels) as advance:
            answers = list(self.method.answer_pixels(samples, self.bench.task, advance))
        return [self._score(self.method.pixels, each, features=len(stack.bands), bands=stack.bands) for each in answers]

    def score_weights(self, group: Sequence[LoadedBackbone]) -> list[Score]:
        """Score the feature maps of a backbone; of several seeds of one training together."""
        found = [list(self._answers(loaded)) for loaded in group]
        spec = spec_of(group[0])
        pyramid = self._pyramid(group[0], spec)
        return [
            self._score(
                ",".join(loaded.name for loaded in group), _join(group, each), features=sum(pyramid.channels), bands=spec.bands,
                identity=join_identities(group), spec=spec,
            )
            for each in zip(*found, strict=True)
        ]  # fmt: skip

    def _answers(self, loaded: LoadedBackbone) -> Iterator[DenseAnswers]:
        spec = spec_of(loaded)
        samples = self._samples(loaded.name, self._pyramid(loaded, spec), spec)
        with self._teaching(loaded.name) as advance:
            yield from self.method.answer(samples, self.bench.task, advance)

    def _pyramid(self, loaded: LoadedBackbone, spec: InputSpec) -> Pyramid:
        return Pyramid(loaded.module, bands=len(spec.bands), size_px=spec.size_px, stem=self.method.stem)

    def _samples(self, name: str, pyramid: Pyramid | PixelValues, spec: InputSpec) -> Samples:
        parts = _parts(self.bench.task)
        inputs = np.concatenate([part.inputs for part in parts])
        with progress(inputs.size, f"Feature maps of {name}", quiet=self.quiet) as job:
            source = MapSource(
                self.bench.pixels(spec.bands, spec.sensor), pyramid, spec, inputs,
                keep_gb=self.settings.keep_gb, batch_size=self.settings.batch_size, workers=self.settings.workers,
                device=self.device, advance=job.advance,
            )  # fmt: skip
        return Samples(source, np.concatenate([part.labels for part in parts]), self.device)

    @contextmanager
    def _teaching(self, name: str) -> Iterator[Callable[[int], None]]:
        epochs = sum(regime.epochs for regime in self.method.regimes)
        times = len(self.settings.fraction) * self.settings.repeats
        with progress(times * epochs, f"Epochs on {name}", quiet=self.quiet) as job:
            yield job.advance

    def _score(
        self,
        name: str,
        answers: DenseAnswers,
        *,
        features: int,
        bands: tuple[str, ...],
        identity: str | None = None,
        spec: InputSpec | None = None,
    ) -> Score:
        measured = self.method.measure(answers, self.bench.task)
        details = {**answers.details, **measured.details}
        if answers.members > 1:
            each = np.reshape(measured.values, (answers.members, -1)).mean(axis=1)
            details["seeds"] = {**details["seeds"], "values": each.tolist(), "spread": float(each.std(ddof=1))}
        return Score(
            name=name,
            identity=identity,
            bands=bands,
            input=to_json(spec) if spec else None,
            features=features,
            metric=self.method.metric,
            value=float(np.mean(measured.values)),
            interval=measured.interval,
            confusion=tuple(tuple(row) for row in answers.counts.sum(axis=(0, 1)).tolist()),
            details=details,
            found=answers.counts,
        )


def _join(group: Sequence[LoadedBackbone], each: Sequence[DenseAnswers]) -> DenseAnswers:
    """Answers of several seeds under one condition, as one."""
    joined = join_answers(group, [Answers(answers.counts, answers.details) for answers in each])
    assert joined.found is not None, "they were found"
    return DenseAnswers(joined.found, joined.details, members=len(group))


def _origins(task: DenseTask) -> str:
    """What intervals are drawn over."""
    return "locations" if np.array_equal(task.test.origins, task.test.locations) else "images that locations are tiles of"


def _parts(task: DenseTask) -> list[DensePart]:
    return [part for part in (task.train, task.test, task.tuning) if part is not None]


def _result(bench: DenseBench, settings: DenseSettings, method: DenseMethod, scores: Sequence[Score]) -> Result:
    """The scores with all that makes them comparable."""
    task = bench.task
    common = common_protocol(bench, settings, scores, test_split=task.test.split, drawn=_origins(task))
    return Result(
        protocol=method.describe(task) | common,
        catalog=str(bench.catalog.document.get("id")),
        catalog_hash=bench.stack.index_hash,
        split_hash=task.split_hash,
        sensor=bench.stack.sensor,
        classes=task.classes,
        train_items=len(task.train),
        test_items=len(task.test),
        test_locations=len(np.unique(task.test.origins)),
        unused_items=task.unused,
        chance=method.chance(task),
        scores=tuple(replace(score, found=None) for score in scores),
        items=_item_table(bench, [score.found for score in scores if score.found is not None]),
    )


def _item_table(bench: DenseBench, found: Sequence[NDArray[np.int64]]) -> ItemTable:
    """What was answered to each sample, by the item that has its label raster."""
    test = bench.task.test
    boxes = bench.items.table["bbox"].take(pa.array(test.inputs[:, -1])).combine_chunks()
    truth = np.stack([(test.labels == label).sum(axis=(1, 2)) for label in range(len(bench.task.classes))], axis=1)
    return ItemTable(test.ids, test.locations, truth, box_centres(boxes), tuple(found), test.origins)
