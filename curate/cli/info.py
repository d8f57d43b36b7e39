"""`curate info`: what a catalog holds, and what failed and why."""

from __future__ import annotations


def info(catalog: str, *, json: bool = False) -> None:
    """Count what a catalog holds: items by sensor, season and split, sizes, bands, cloud, and what failed and why.

    Bands that were asked for and that the source lacks are named. Nothing but the indexes is read, so a million items take
    seconds.

        curate info data/demo

    Args:
        catalog: A catalog's folder, or its `http(s)://` or `s3://` address.
        json: Print the summary as one JSON object.
    """
    from catalogs.console import emit, emit_json
    from curate.cli.summary_lines import summary_lines
    from curate.summary import summarize

    summary = summarize(catalog)
    if json:
        emit_json(summary.to_json())
    else:
        emit("\n".join(summary_lines(summary)))
