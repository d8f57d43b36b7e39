"""`curate convert`: a released data set becomes a catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def convert(
    kind: str,
    path: Path,
    *,
    out: Path,
    limit: int | None = None,
    seed: int = 0,
    size_px: int | None = None,
    split_lists: Path | None = None,
    items: Literal["json", "parquet"] = "parquet",
    workers: int | None = None,
    dry_run: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Make a catalog of a released data set: its images as rasters, its labels and splits in the items.

    `eurosat`: the 27,000 images of `EuroSAT_RGB.zip`, or of the folder that it unpacks to. Their values are display values, no
    reflectance; where and when they were taken is not known.
    `eurosat-ms`: its version of 13 bands, `EuroSAT_MS.zip`: top-of-atmosphere reflectance, B8A at its place after B08.
    `resisc45`: the 31,500 images of NWPU-RESISC45. `ucmerced`: the 2,100 images of UC Merced Land Use.
    `folder`: any folder of class folders, or a zip archive of one: JPEG, PNG or TIFF in red, green and blue, of eight bits.

    Four in five images are in `train`, the others in `test`, drawn image by image, unless there are lists of the splits.

    Running the command again continues it.

        curate convert eurosat EuroSAT_RGB.zip --out data/eurosat
        curate convert folder pictures --size-px 224 --out data/pictures

    Args:
        kind: Which data set: `eurosat`, `eurosat-ms`, `resisc45`, `ucmerced` or `folder`.
        path: The archive as it was published, or the folder that it unpacks to.
        out: The catalog's folder: new, empty, or one that this very command made.
        limit: At most so many images, evenly from all classes; all where left out.
        seed: Of that choice, and of the splits.
        size_px: Of `folder`: height and width that all images are brought to; where left out, they have to be squares of one
            size.
        split_lists: Folder of published splits, a name of an image a line: `train.txt`, `val.txt`, `test.txt`, or names that
            end so.
        items: `parquet`: the index alone; `json`: a file per item too, for tools that read STAC as JSON.
        workers: How many processes decode and write; one per core where left out.
        dry_run: Say what would be converted, and write nothing.
        json: Print the outcome as one JSON object.
        quiet: Say nothing but errors.
    """
    from curate.cli.converting import ConvertOptions, run_convert

    options = ConvertOptions(
        limit=limit,
        seed=seed,
        size_px=size_px,
        split_lists=split_lists,
        items=items,
        workers=workers,
        dry_run=dry_run,
        as_json=json,
        quiet=quiet,
    )
    return run_convert(kind, path, out, options)
