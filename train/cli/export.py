"""`train export`: the weights of a run, so that others can load them."""

from __future__ import annotations

from pathlib import Path


def export(run: Path, *, out: Path | None = None, json: bool = False) -> None:
    """Write the weights of a run's last checkpoint as a folder that timm opens.

    The folder holds safetensors, timm's configuration, what the weights expect of their input, a model card and a STAC item.

        train export runs/demo --out weights/demo

    Args:
        run: A run folder.
        out: The folder to write; `weights` in the run folder where left out.
        json: Print what was written as one JSON object.
    """
    from catalogs.console import emit, emit_json, say
    from train.exporting import export_checkpoint

    folder = export_checkpoint(run, out=out)
    if json:
        emit_json({"weights": str(folder)})
    else:
        emit(str(folder))
    say(f'To load it: timm.create_model("local-dir:{folder}", pretrained=True); to score it: evaluate knn --weights {folder}')
