"""From a run to weights that others can load: `RUN/weights`, or wherever `train export` is told.

Of a run on several sensors, each has a folder of its own there, with its id for a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from train.backbones import backbone_of
from train.checkpoint import list_checkpoints, read_state
from train.checks import check_choice
from train.config import to_json
from train.errors import CheckpointError
from train.export import export_weights
from train.provenance import Provenance
from train.run_folder import WEIGHTS, RunRecord, last_metrics, read_record
from train.tensors import load_strictly

if TYPE_CHECKING:
    from torch import Tensor, nn

PARTS = {"student": ("student.backbone.",), "teacher": ("teacher.backbone.", "teacher.encoder.backbone.")}
"""What the names of the backbone's tensors may begin with in a checkpoint, of each part that can be exported."""
SENSORS = {"student": "student.encoder.backbones.", "teacher": "teacher.backbones."}
"""The same of a run on several sensors, before the sensor's id."""


def export_run(
    run: Path, record: RunRecord, backbone: nn.Module, *, step: int, out: Path | None = None, part: str = "student"
) -> Path:
    """Export the backbone of a run.

    Args:
        run: The run folder.
        record: What it says of its training.
        backbone: On the CPU.
        step: Optimizer steps done.
        out: Where to; `weights` in the run folder where absent, `weights-teacher` of the teacher.
        part: Whose backbone it is, one of `PARTS`.

    Returns:
        The folder written.
    """
    return export_weights(
        out or _folder(run, part),
        backbone,
        timm_name=record.config.backbone,
        spec=record.spec,
        provenance=describe_run(run, record, step=step, part=part),
    )


def export_checkpoint(run: Path, *, out: Path | None = None, part: str = "student") -> Path:
    """Export the backbone of a run's last checkpoint.

    Args:
        run: The run folder.
        out: Where to; `weights` in the run folder where absent, `weights-teacher` of the teacher.
        part: `student`, or the `teacher`, which the papers of the DINO family evaluate. The MoCo family's teacher is there
            too.

    Returns:
        The folder written; of several sensors that were trained, one that holds a folder for each.

    Raises:
        CheckpointError: The folder holds no run, or no checkpoint yet.
        ConfigError: There is no such part.
    """
    check_choice("part", part, tuple(PARTS))
    record = read_record(run)
    checkpoints = list_checkpoints(run)
    if not checkpoints:
        raise CheckpointError(f"{run} has no checkpoint yet, so there is nothing to export. To train on: train resume {run}.")
    state = read_state(checkpoints[-1])
    where, step = f"Checkpoint {checkpoints[-1]}", state["step"]
    if record.config.alignment is None:
        backbone = _backbone(record, _below(state["method"], *PARTS[part]), where)
        return export_run(run, record, backbone, step=step, out=out, part=part)
    told = [(replace(record, spec=spec), _below(state["method"], f"{SENSORS[part]}{spec.sensor}.")) for spec in record.specs]
    trained = [(each, tensors) for each, tensors in told if tensors]  # what adapts to a sensor trains that alone
    folder = out or _folder(run, part)
    for each, tensors in trained:
        place = folder / each.spec.sensor if len(trained) > 1 else folder
        export_run(run, each, _backbone(each, tensors, where), step=step, out=place, part=part)
    return folder


def _below(tensors: Mapping[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    """Tensors whose names begin in one of some ways, by the rest of their names."""
    return {
        name.removeprefix(prefix): value for prefix in prefixes for name, value in tensors.items() if name.startswith(prefix)
    }


def _backbone(record: RunRecord, tensors: Mapping[str, Tensor], where: str) -> nn.Module:
    """A backbone for the sensor of a record, with its tensors."""
    backbone = backbone_of(record.config, len(record.spec.bands))
    load_strictly(backbone, tensors, where=where)
    return backbone


def _folder(run: Path, part: str) -> Path:
    return run / (WEIGHTS if part == "student" else f"{WEIGHTS}-{part}")


def describe_run(run: Path, record: RunRecord, *, step: int, part: str = "student") -> Provenance:
    """What an export says of the training behind it."""
    config = record.config
    marks = ([] if config.alignment is None else [record.spec.sensor]) + ([] if part == "student" else [part])
    return Provenance(
        name="-".join([config.method, config.backbone, record.catalog_id, *marks]),
        method=config.method,
        recipe=config.recipe,
        catalog_id=record.catalog_id,
        index_hash=record.index_hash,
        locations=record.locations,
        steps=step,
        epochs=round(step / max(record.locations // config.batch_size, 1), 3),
        catalog_href=record.catalog,
        bbox=record.bbox,
        interval=record.interval,
        license="other",
        attribution=(record.attribution,) if record.attribution else (),
        figures=last_metrics(run),
        initial=record.init,
        settings=to_json(config),
        versions=record.versions,
        git_commit=record.git_commit,
        part=part,
    )
