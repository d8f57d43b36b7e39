"""From a run to weights that others can load: `RUN/weights`, or wherever `train export` is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from train.backbones import backbone_of
from train.checkpoint import list_checkpoints, read_state
from train.config import to_json
from train.errors import CheckpointError
from train.export import export_weights
from train.provenance import Provenance
from train.run_folder import WEIGHTS, RunRecord, last_metrics, read_record
from train.tensors import load_strictly

if TYPE_CHECKING:
    from torch import nn

BACKBONE = "student.backbone."
"""What the names of the exported tensors begin with in a checkpoint."""


def export_run(run: Path, record: RunRecord, backbone: nn.Module, *, step: int, out: Path | None = None) -> Path:
    """Export the backbone of a run.

    Args:
        run: The run folder.
        record: What it says of its training.
        backbone: On the CPU.
        step: Optimizer steps done.
        out: Where to; `weights` in the run folder where absent.

    Returns:
        The folder written.
    """
    return export_weights(
        out or run / WEIGHTS,
        backbone,
        timm_name=record.config.backbone,
        spec=record.spec,
        provenance=describe_run(run, record, step=step),
    )


def export_checkpoint(run: Path, *, out: Path | None = None) -> Path:
    """Export the backbone of a run's last checkpoint.

    Args:
        run: The run folder.
        out: Where to; `weights` in the run folder where absent.

    Returns:
        The folder written.

    Raises:
        CheckpointError: The folder holds no run, or no checkpoint yet.
    """
    record = read_record(run)
    checkpoints = list_checkpoints(run)
    if not checkpoints:
        raise CheckpointError(f"{run} has no checkpoint yet, so there is nothing to export. To train on: train resume {run}.")
    state = read_state(checkpoints[-1])
    config = record.config
    backbone = backbone_of(config, len(config.bands))
    own = {name.removeprefix(BACKBONE): value for name, value in state["method"].items() if name.startswith(BACKBONE)}
    load_strictly(backbone, own, where=f"Checkpoint {checkpoints[-1]}")
    return export_run(run, record, backbone, step=state["step"], out=out)


def describe_run(run: Path, record: RunRecord, *, step: int) -> Provenance:
    """What an export says of the training behind it."""
    config = record.config
    return Provenance(
        name=f"{config.method}-{config.backbone}-{record.catalog_id}",
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
    )
