"""`train resume`: go on exactly where a run stopped."""

from __future__ import annotations

from pathlib import Path


def resume(
    run: Path,
    *,
    catalog: str | None = None,
    workers: int = 2,
    device: str = "auto",
    cache: Path | None = None,
    hook: tuple[str, ...] = (),
    log_every: int = 50,
    checkpoint_every: int | None = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Go on exactly where a run stopped, with its settings and from its last checkpoint.

        train resume runs/demo

    Args:
        run: A run folder.
        catalog: Where the catalog is now, if it has moved; it must have the same index.
        workers: Processes that read, for each process that trains.
        device: `cuda` or `cpu`; a GPU if there is one.
        cache: Where files of a remote catalog are kept.
        hook: Call a function after every epoch; repeatable.
        log_every: Steps from one look at the loss to the next.
        checkpoint_every: Steps between checkpoints.
        json: Print the outcome as one JSON object.
        quiet: Say nothing but errors.
    """
    from train.cli.flags import TrainFlags
    from train.cli.training import resume_training

    flags = TrainFlags(
        catalog=catalog or "",
        workers=workers,
        device=device,
        cache=cache,
        hook=hook,
        log_every=log_every,
        checkpoint_every=checkpoint_every,
        json=json,
        quiet=quiet,
    )
    return resume_training(run, flags)
