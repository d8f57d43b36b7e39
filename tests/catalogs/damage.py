"""Faults planted into a sound catalog, each alone: everything else is made to agree with it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalogs import layout
from catalogs.bands import find_sensor
from catalogs.from_stac import scene_from_item
from catalogs.index import read_items, write_items
from catalogs.locations import read_locations, write_locations
from catalogs.pixels import multihash, read_raster, write_raster
from catalogs.to_stac import item_folder, link_item
from catalogs.validate import Report, check_catalog
from catalogs.writer import CatalogWriter

SENSOR = "sentinel-2-l2a"
SIGNED = "https://host.example/B04.tif?sig=abcdef&se=2030"
Item = dict[str, Any]


def messages(report: Report) -> str:
    """All problems in words, one in a line."""
    return "\n".join(f"{problem.kind} . {problem.where} . {problem.message}" for problem in report.problems)


def expect_fault(folder: Path, fault: Callable[[Path], Any], kinds: str, words: str) -> None:
    """Plant a fault, and find problems of those kinds alone, in those words (a pattern)."""
    fault(folder)
    report = check_catalog(folder)
    assert set(report.counts) == set(kinds.split()), messages(report)
    assert re.search(words, messages(report)), messages(report)
    assert all(problem.remedy for problem in report.problems)


def index_of(folder: Path) -> Path:
    return folder / SENSOR / layout.INDEX


def item_path(folder: Path, number: int = 0) -> Path:
    item = read_items(index_of(folder))[number]
    return folder / SENSOR / item_folder(item) / layout.item_name(item["id"])


def asset_path(folder: Path, key: str = "10m", number: int = 0) -> Path:
    return folder / SENSOR / read_items(index_of(folder))[number]["assets"][key]["href"]


def square_path(folder: Path) -> Path:
    return next((folder / SENSOR).glob(f"*/{layout.CATALOG}"))


def edit_json(path: Path, change: Callable[[Any], None]) -> None:
    """Change a JSON file where it stands."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def edit_rows(folder: Path, change: Callable[[list[Item]], None]) -> None:
    """Change the index, and have the collection agree with it; item files stay as they are."""
    items = read_items(index_of(folder))
    change(items)
    write_items(index_of(folder), items, pq.read_schema(index_of(folder)))
    agree(folder)


def edit_item(folder: Path, change: Callable[[Item], None], number: int = 0) -> None:
    """Change an item, in its file and in the index."""

    def change_one(items: list[Item]) -> None:
        path = item_path(folder, number)
        change(items[number])
        if path.exists():
            path.write_text(json.dumps(link_item(items[number])))

    edit_rows(folder, change_one)


def edit_table(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change any parquet file."""
    pq.write_table(change(pq.read_table(path)), path)


def edit_pixels(folder: Path, change: Callable[[np.ndarray], np.ndarray | None], key: str = "10m", number: int = 0) -> None:
    """Change the pixels of an asset, and have its item agree with the new file."""
    scene = scene_from_item(read_items(index_of(folder))[number])
    raster = next(raster for raster in scene.rasters if raster.key == key)
    path = folder / SENSOR / raster.href
    pixels = read_raster(str(path)).copy()
    changed = change(pixels)
    checksum, size = write_raster(path, pixels if changed is None else changed, raster.grid, raster.bands)
    edit_item(folder, lambda item: item["assets"][key].update({"file:checksum": checksum, "file:size": size}), number)


def state_file(folder: Path, key: str = "10m", number: int = 0) -> None:
    """Have an item agree with the file that its asset is by now."""
    content = asset_path(folder, key, number).read_bytes()
    changes = {"file:checksum": multihash(content), "file:size": len(content)}
    edit_item(folder, lambda item: item["assets"][key].update(changes), number)


def edit_locations(folder: Path, change: Callable[[list[Any]], None]) -> None:
    """Change what was sampled."""
    locations = read_locations(folder / layout.LOCATIONS)
    change(locations)
    write_locations(folder / layout.LOCATIONS, locations)


def agree(folder: Path) -> None:
    """Have the collection agree with the index."""
    path = index_of(folder)
    edit_json(
        folder / SENSOR / layout.COLLECTION,
        lambda document: document["assets"]["items"].update({"file:checksum": multihash(path.read_bytes())}),
    )


def relink(folder: Path) -> None:
    """What the next build does first: write links and collections anew, and take in the journal."""
    recipe = json.loads((folder / layout.RECIPE).read_text())
    bands = {sensor: find_sensor(sensor).bands for sensor in recipe["build"]["sensors"]}
    CatalogWriter(folder, read_locations(folder / layout.LOCATIONS), bands, description="A catalog for tests.").close()


def set_property(name: str, value: Any) -> Callable[[Path], None]:
    """A fault: another value of a property of the first item."""
    return lambda folder: edit_item(folder, lambda item: item["properties"].update({name: value}))


def set_asset(name: str, value: Any, key: str = "10m") -> Callable[[Path], None]:
    """A fault: another value of a field of an asset of the first item."""
    return lambda folder: edit_item(folder, lambda item: item["assets"][key].update({name: value}))


def remove_asset(folder: Path) -> None:
    asset_path(folder).unlink()


def truncate_asset(folder: Path) -> None:
    path = asset_path(folder)
    path.write_bytes(path.read_bytes()[:-20])


def alter_asset(folder: Path) -> None:
    """Change one byte."""
    path = asset_path(folder)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def set_offset(folder: Path, offset: float = 0.0, check: str = "consistent") -> None:
    """Another offset of the first item, in its file and in the index."""

    def change(item: Item) -> None:
        item["properties"]["seastars:radiometry"].update(check=check, harmonized="applied" if offset else "not_needed")
        for asset in item["assets"].values():
            for band in asset["bands"]:
                if "raster:offset" in band:
                    band["raster:offset"] = offset

    edit_item(folder, change)
