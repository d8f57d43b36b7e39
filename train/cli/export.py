"""`train export`: the weights of a run, so that others can load them."""

from __future__ import annotations

from pathlib import Path


def export(run: Path, *, out: Path | None = None, part: str = "student", json: bool = False) -> None:
    """Write the weights of a run's last checkpoint as a folder that timm opens.

    The folder holds safetensors, timm's configuration, what the weights expect of their input, a model card and a STAC item; of
    a run on several sensors there is one of these folders for each, by its id.

        train export runs/demo --out weights/demo
        train export runs/demo --part teacher

    Args:
        run: A run folder.
        out: The folder to write; where left out, `weights` in the run folder, or `weights-teacher` of the teacher.
        part: `student`, or `teacher`: the running mean of the student, which the papers of DINO, DINO-MC and X-STARS evaluate.
        json: Print what was written as one JSON object.
    """
    from catalogs.console import emit, emit_json, say
    from train.exporting import export_checkpoint

    folder = export_checkpoint(run, out=out, part=part)
    if json:
        emit_json({"weights": str(folder)})
    else:
        emit(str(folder))
    opened = next((each for each in sorted(folder.iterdir()) if each.is_dir()), folder)
    say(f'To load it: timm.create_model("local-dir:{opened}", pretrained=True); to score it: evaluate knn --weights {folder}')
