"""`curate verify`: check a catalog."""

from __future__ import annotations


def verify(catalog: str, *, deep: bool = False, sample: int | None = None, json: bool = False, quiet: bool = False) -> int:
    """Check that a catalog is what it says: documents, links, index, records, files and pixels.

    Found are missing, truncated and altered files, broken links, items that are not on their location's grid, blank,
    constant and saturated frames, equal pixels under two dates, wrong offsets, hrefs that leave the catalog, and secrets. What
    a stopped build has left is told, and is no error. The exit code is 3 where the catalog is not valid.

        curate verify data/demo

    Args:
        catalog: A catalog's folder, or its `http(s)://` or `s3://` address.
        deep: Read every file, every pixel. Otherwise, of a catalog of more than 20,000 files (2,000 behind an address), a
            sample is read, the same every time; the others are looked for.
        sample: Read the files of so many locations, the same ones every time. The documents, the index and the presence of
            all others are checked: some minutes for a million items.
        json: Print the report as one JSON object.
        quiet: Say nothing where the catalog is valid, and show no progress.
    """
    from curate.cli.verifying import run_verify

    return run_verify(catalog, deep=deep, sample=sample, as_json=json, quiet=quiet)
