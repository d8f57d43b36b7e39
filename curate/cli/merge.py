"""`curate merge`: the parts of a build become one catalog."""

from __future__ import annotations

from pathlib import Path


def merge(*parts: Path, out: Path, json: bool = False, quiet: bool = False) -> int:
    """Join the parts of a build into the catalog that one build of everything would have made, byte for byte.

    Each part is built in a copy of the sampled folder, on whatever machine. Files are linked where the file system can, else
    copied; the parts stay as they are, and can be removed afterwards. Running the command again continues it.

        curate build data/p1 --part 1/2 --source simulated --end 2024-01-01

        curate build data/p2 --part 2/2 --source simulated --end 2024-01-01

        curate merge data/p1 data/p2 --out data/france

    Args:
        parts: Folders of the parts, all of them.
        out: Folder of the joined catalog: new, empty, or the sampled folder itself.
        json: Print the outcome as one JSON object.
        quiet: Say nothing but errors.
    """
    from curate.cli.merging import run_merge

    return run_merge(parts, out, as_json=json, quiet=quiet)
