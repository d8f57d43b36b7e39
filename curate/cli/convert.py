"""`curate convert`: a released data set becomes a catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def convert(
    kind: str,
    path: Path,
    /,
    *,
    out: Path | None = None,
    in_place: bool = False,
    limit: int | None = None,
    seed: int = 0,
    size_px: int | None = None,
    classes: int | None = None,
    ignore: int | None = None,
    split_lists: Path | None = None,
    items: Literal["json", "parquet"] = "parquet",
    workers: int | None = None,
    dry_run: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Make a catalog of a released data set: its images as rasters, its labels and splits in the items.

    - `eurosat`: the 27,000 images of `EuroSAT_RGB.zip`, or of the folder that it unpacks to. Their values are display values,
      no reflectance; where and when they were taken is not known.
    - `eurosat-ms`: its version of 13 bands, `EuroSAT_MS.zip`: top-of-atmosphere reflectance, B8A at its place after B08.
    - `bigearthnet`: the patches of BigEarthNet 1.0 or 2.0 (reBEN), unpacked, each with several labels, on their own ground.
    - `so2sat`: the Sentinel-2 patches of So2Sat LCZ42, a folder of `training.h5`, `validation.h5` and `testing.h5`.
    - `resisc45`: the 31,500 images of NWPU-RESISC45.
    - `ucmerced`: the 2,100 images of UC Merced Land Use.
    - `folder`: any folder of class folders, or a zip archive of one: JPEG, PNG or TIFF in red, green and blue, of eight bits.
    - `segmentation`: any folder of `images` and `masks` (or `labels`) of the same names, perhaps in `train`, `val` and `test`:
      images as of `folder`, masks as PNG or TIFF of class numbers, named in a `classes.txt` or `classes.json` beside them.
    - `oscd`: Onera Satellite Change Detection, 24 cities at two dates with change maps, cut into tiles of 96 pixels.

    Splits are as published, where files or lists of the data set say so, or as your own lists do. Else four in five images are
    in `train`, the others in `test`, drawn image by image.

    Pixels are copied, as rasters of a layout that is read fast. With --in-place nothing is: the catalog is written around the
    unpacked images, and names them as they lie there. Reading decodes them each time, which `curate pack` spares.

    - `eurosat`, `resisc45`, `folder`: every image stays. With --size-px, those that have another size are written anew.
    - `ucmerced`: all but the few of another size than 256 x 256 stay.
    - `bigearthnet`: all twelve files of a patch stay, an asset each.
    - `segmentation`: images stay where no --size-px cuts them; their masks are written, as numbers of classes.
    - `eurosat-ms` (pixels that are no squares), `so2sat` (patches within HDF5) and what is cut into tiles cannot, `oscd`
      always; nor can what lies in an archive.

    Running the command again continues it.

        curate convert eurosat EuroSAT_RGB.zip --out data/eurosat
        curate convert eurosat data/EuroSAT_RGB --in-place
        curate convert folder pictures --size-px 224 --out data/pictures

    Args:
        kind: Which data set: `eurosat`, `eurosat-ms`, `bigearthnet`, `so2sat`, `resisc45`, `ucmerced`, `folder`, `segmentation`
            or `oscd`.
        path: The archive as it was published, or the folder that it unpacks to.
        out: The catalog's folder: new, empty, or one that this very command made. With --in-place PATH itself, where left out,
            or a folder above it; nothing there is changed or removed.
        in_place: Leave images where they are, and name them in the catalog, whose folder has to hold them: both are then moved
            together.
        limit: At most so many images, evenly from all classes; all where left out. Of `segmentation`, images with all their
            tiles; of `oscd`, cities.
        seed: Of that choice, and of the splits.
        size_px: Of `folder`: height and width that all images are brought to; where left out, they have to be squares of one
            size. Of `segmentation` and `oscd`: side of the squares that images are cut into, never resampled.
        classes: Of `bigearthnet`: how many classes its labels are of, 19 where left out, or 43.
        ignore: Of `segmentation`: value of masks where nobody knows the class, beside 255.
        split_lists: Folder of published splits, a name of an image a line: `train.txt`, `val.txt`, `test.txt`, or names that
            end so; `.csv` too, the name in the first column.
        items: `parquet`: the index alone; `json`: a file per item too, for tools that read STAC as JSON.
        workers: How many processes decode and write; one per core where left out.
        dry_run: Say what would be converted, and write nothing.
        json: Print the outcome as one JSON object.
        quiet: Say nothing but errors.
    """
    from curate.cli.converting import ConvertOptions, run_convert

    options = ConvertOptions(
        in_place=in_place,
        limit=limit,
        seed=seed,
        size_px=size_px,
        classes=classes,
        ignore=ignore,
        split_lists=split_lists,
        items=items,
        workers=workers,
        dry_run=dry_run,
        as_json=json,
        quiet=quiet,
    )
    return run_convert(kind, path, out, options)
