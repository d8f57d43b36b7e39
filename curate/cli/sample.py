"""`curate sample`: choose the locations of a new catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def sample(
    *,
    region: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    count: int | None = None,
    strategy: Literal["cities", "population", "uniform", "grid", "file"] | None = None,
    cities: int = 10_000,
    std_km: float = 50.0,
    patch_m: int = 2640,
    min_distance_m: float = 0.0,
    no_overlap: bool = False,
    exclude: Path | None = None,
    name: str | None = None,
    splits: str = "0.9,0.05,0.05",
    seed: int = 0,
    out: Path | None = None,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    tile: bool = False,
    dry_run: bool = False,
    json: bool = False,
    quiet: bool = False,
) -> None:
    """Choose the locations of a new catalog: squares of ground in a region, each in a split.

    The same command gives the same locations, byte for byte; running it again changes nothing. With a greater `--count` the
    locations stay and more are added, as long as nothing was built.

        curate sample --region france --count 1000 --seed 7 --out data/france

    Args:
        region: Where: a country's English name or ISO code (`france` is metropolitan; GF, RE and others have their own), a
            continent, `world`, a GeoJSON or GeoPackage file, or `west,south,east,north` in degrees (west > east across 180).
            A location is in the country of its nearest place of 500 inhabitants or more; a country, a continent and a box
            mean their land, where lakes count as land. A file gives exact borders, land or sea.
        count: How many locations. With `grid` and `file` it takes so many at random; all of them where left out.
        strategy: `cities`: a Gaussian around one of the largest cities, each equally often (the default); `population`:
            around places, each as often as it has inhabitants; both within 15 km of a place, but where a file gives the
            borders; `uniform`: the same on every square kilometre; `grid`: side by side, wholly inside; `file`: where
            `--from` says (the default with it).
        cities: How many of the region's largest cities `cities` draws from; all where there are fewer.
        std_km: Standard deviation of the Gaussian around a city, kilometres, in each direction.
        patch_m: Side of a square, metres: a multiple of 60, at most 9780.
        min_distance_m: Least distance between the centres of two squares, metres.
        no_overlap: Keep squares apart, across UTM zones too.
        exclude: A vector file that no square may touch, such as a benchmark's test set or another catalog's
            `locations.parquet`.
        name: Start of the locations' ids, in place of the region's name, the file's stem, or `bbox`.
        splits: Shares of train, val and test. Blocks of 20 km are of one split, and squares between blocks of two splits are
            drawn anew (with `grid` and `file`: in no split), so that neighbours never part.
        seed: Of every choice.
        out: The catalog's folder: new, empty, or one that this very command made.
        from_: A vector file for `file`: a point is the centre of a square, a polygon has one at its centroid.
        tile: Cover the polygons of `--from` with squares instead.
        dry_run: Choose, and say what was chosen, but write nothing.
        json: Print the outcome as one JSON object.
        quiet: Say nothing but errors and warnings.
    """
    from curate.cli.sampling import Flags, run_sample

    flags = Flags(
        region=region, count=count, strategy=strategy, cities=cities, std_km=std_km, patch_m=patch_m,
        min_distance_m=min_distance_m, no_overlap=no_overlap, exclude=exclude, name=name, splits=splits, seed=seed,
        from_file=from_, tile=tile,
    )  # fmt: skip
    run_sample(flags, out, dry_run=dry_run, as_json=json, quiet=quiet)
