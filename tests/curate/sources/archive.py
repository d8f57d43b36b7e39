"""The shared archive as other sources would serve it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

AGES = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
WORLD = (-180.0, -90.0, 180.0, 90.0)
SENSORS = {"sentinel-2-l2a": 119, "landsat-c2-l2": 26}


def archive_items(archive: Path, address: str) -> list[dict[str, Any]]:
    """Its items with asset hrefs under an address."""
    items = []
    for path in sorted(archive.glob("*/*/*.json")):
        item = json.loads(path.read_text())
        for asset in item["assets"].values():
            asset["href"] = f"{address}/{path.parent.relative_to(archive).as_posix()}/{Path(asset['href']).name}"
        items.append(item | {"links": []})
    return items
