"""What `curate sample` does beside sampling: from flags to a request, to a folder, to words."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalogs import layout
from catalogs.console import counted, emit_json, say
from catalogs.records import SPLITS, check_side
from curate.errors import CurateError
from curate.regions import find_region, slugify
from curate.sample import Sample, sample_locations
from curate.sample_folder import finished_splits, sample_section, write_sample
from curate.sample_request import SampleRequest
from curate.split import parse_shares
from curate.vectors import read_geometries, sha256_of

SECONDS_BETWEEN = 10.0


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What was typed; see `curate.cli.sample.sample` for each."""

    region: str | None
    count: int | None
    strategy: str | None
    cities: int
    std_km: float
    patch_m: int
    min_distance_m: float
    no_overlap: bool
    exclude: Path | None
    name: str | None
    splits: str
    seed: int
    from_file: Path | None
    tile: bool

    def request(self) -> SampleRequest:
        """What to sample.

        Raises:
            CurateError: A flag that is out of range, unknown or absent; a file that cannot be read.
            ContractError: A side that does not divide.
        """
        check_side(self.patch_m)
        region = None if self.region is None else find_region(self.region, name=self.name)
        strategy = self.strategy or ("cities" if self.from_file is None else "file")
        if strategy != "file" and (self.from_file or self.tile):
            raise CurateError(f"--from and --tile are for --strategy file, not {strategy}. Leave them out, or the strategy.")
        return SampleRequest(
            slug=self._slug() if region is None else region.slug,
            region=region,
            strategy=strategy,
            count=self.count,
            seed=self.seed,
            side_m=self.patch_m,
            cities=self.cities,
            std_m=self.std_km * 1000,
            shares=parse_shares(self.splits),
            min_distance_m=self.min_distance_m,
            no_overlap=self.no_overlap,
            excluded=None if self.exclude is None else read_geometries(self.exclude),
            shapes=None if self.from_file is None else read_geometries(self.from_file),
            tile=self.tile,
        )

    def _slug(self) -> str:
        return slugify(self.name or (self.from_file.stem if self.from_file else "sample"))

    def files(self) -> dict[str, dict[str, str]]:
        """Files that identify the sample, but for the region's, by name and content."""
        named = {"from": self.from_file, "exclude": self.exclude}
        return {flag: {"file": path.name, "sha256": sha256_of(path)} for flag, path in named.items() if path is not None}


def run_sample(flags: Flags, out: Path | None, *, dry_run: bool, as_json: bool, quiet: bool) -> None:
    """Sample, write and tell of it.

    Args:
        flags: What was typed.
        out: The catalog's folder; may be absent where nothing is written.
        dry_run: Write nothing.
        as_json: Print the outcome as one JSON object.
        quiet: Say nothing but errors and warnings.

    Raises:
        CurateError: The command has to be changed; see `Flags.request`, `sample_locations` and `write_sample`.
        ContractError: The folder is not ours, or was made from another recipe.
    """
    if out is None and not dry_run:
        raise CurateError("--out is missing. Pass a folder to make, such as --out data/france, or --dry-run to write nothing.")
    say("Looking for the region and its places ...", quiet=quiet)
    request = flags.request()
    section = sample_section(request, flags.files())
    splits = None if out is None else finished_splits(out, section)
    outcome: dict[str, Any] = {"catalog": None if out is None else str(out), "written": False, "name": request.slug}
    if splits is not None:
        say(f"{out} has these {sum(splits.values()):,} locations already ({_shares(splits)}). Nothing to do.", quiet=quiet)
    else:
        found = sample_locations(request, progress=_now_and_then(quiet=quiet))
        if out is not None and not dry_run:
            write_sample(out, section, found)
            outcome["written"] = True
        splits = found.splits
        outcome |= {"candidates": found.candidates, "refused": found.refused}
        _tell(found, request, out if outcome["written"] else None, quiet=quiet)
    if out is not None and not dry_run:
        say(f"Next: curate build {out}", quiet=quiet)
    if as_json:
        emit_json({**outcome, "locations": sum(splits.values()), "splits": {split: splits.get(split, 0) for split in SPLITS}})


def _tell(found: Sample, request: SampleRequest, out: Path | None, *, quiet: bool) -> None:
    done = "Would write" if out is None else "Wrote"
    where = "; nothing was written" if out is None else f" to {out / layout.LOCATIONS}"
    count = f"{counted(len(found.locations), 'location')} of {request.side_m:,} m"
    say(f"{done} {count} ({request.strategy}, seed {request.seed}){where}.", quiet=quiet)
    say(f"  {_shares(found.splits)}", quiet=quiet)
    if found.refused:
        words = "; ".join(f"{count:,} {reason}" for reason, count in found.refused.items())
        say(f"  of {found.candidates:,} candidates, refused: {words}", quiet=quiet)
    for warning in found.warnings():
        say(f"Warning: {warning}")


def _now_and_then(*, quiet: bool) -> Callable[[int], None]:
    """What says how many locations there are, every ten seconds."""
    last = time.monotonic()

    def tell(found: int) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN:
            last = time.monotonic()
            say(f"  {found:,} locations so far", quiet=quiet)

    return tell


def _shares(splits: Mapping[str, int]) -> str:
    total = max(sum(splits.values()), 1)
    return ", ".join(f"{split} {splits[split]:,} ({splits[split] / total:.1%})" for split in SPLITS if split in splits)
