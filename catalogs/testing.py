"""A tiny catalog for tests and notebooks: smooth random ground, no simulation, no network, a few milliseconds a scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from catalogs import layout
from catalogs.bands import Sensor, find_sensor
from catalogs.lattice import squares_around
from catalogs.locations import write_locations
from catalogs.masks import mask_shares
from catalogs.recipe import write_section
from catalogs.records import UNKNOWN_LABEL, Band, Location, Radiometry, Scene, SourceWindow
from catalogs.writer import CatalogWriter, Patch, label_patch

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIRST_DAY = datetime(2023, 1, 15, 10, 50, 31, tzinfo=UTC)


def make_locations(
    count: int = 3, *, lon: float = 1.44, lat: float = 43.6, side_m: int = 600, slug: str = "test"
) -> list[Location]:
    """Squares in a row, 6 km apart, with splits in turn."""
    epsg, bounds = squares_around(lon + 0.075 * np.arange(count), np.full(count, lat), side_m)
    splits = ("train", "train", "val", "test")
    found = []
    for number in range(count):
        left, bottom, right, top = (int(edge) for edge in bounds[number])
        found.append(Location(f"{slug}-{number:06d}", int(epsg[number]), (left, bottom, right, top), splits[number % 4]))
    return found


def make_images(count: int = 3, *, side_m: int = 640, slug: str = "image") -> list[Location]:
    """Images whose ground is not known, as of a converted data set, with splits in turn."""
    splits = ("train", "train", "val", "test")
    return [Location(f"{slug}-{number:06d}", None, (0, 0, side_m, side_m), splits[number % 4]) for number in range(count)]


def make_catalog(
    folder: Path,
    *,
    locations: Sequence[Location] | None = None,
    sensors: Sequence[str] = ("sentinel-2-l2a",),
    seasons: int = 2,
    json_items: bool = True,
    labels: Sequence[str] = (),
    label_rasters: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
) -> Path:
    """Write a small, valid catalog.

    Label rasters can be learnt from the pixels of the finest layer. `labels`, of every item, cuts the values of its first band
    into classes of as many pixels each, the darkest first; `change`, of all but the first item of a location, does so with
    the difference of that band to the item before. Nobody knows the first row of pixels.

    Args:
        folder: Where to; made where absent.
        locations: Its squares; three of 600 m near Toulouse where absent.
        sensors: Ids of its sensors.
        seasons: Dates per location and sensor; of a static layer there is one item.
        json_items: Whether items are JSON files too, or rows of the index alone.
        labels: One for each location in turn; none where there are none.
        label_rasters: Classes of the label rasters to make, by `labels` or `change`.
        seed: Of its pixels.

    Returns:
        The folder.
    """
    squares = list(make_locations() if locations is None else locations)
    folder.mkdir(parents=True, exist_ok=True)
    section = {"source": "catalogs.testing", "sensors": list(sensors), "seasons": seasons}
    if all(location.is_sampled for location in squares):
        write_section(folder, "sample", {"region": "test", "seed": seed})
        write_section(folder, "build", section)
    else:
        write_section(folder, "convert", section)
    write_locations(folder / layout.LOCATIONS, squares)
    bands = {sensor: find_sensor(sensor).bands for sensor in sensors}
    writer = CatalogWriter(
        folder, squares, bands, description="A catalog for tests.", json_items=json_items, label_rasters=label_rasters
    )
    for number, location in enumerate(squares):
        mine = (labels[number % len(labels)],) if labels else ()
        items, before = [], None
        for sensor, season in product(sensors, range(seasons)):
            if season and find_sensor(sensor).is_static:
                continue
            scene, patches = make_scene(find_sensor(sensor), location, season, seed=seed + 1000 * number + season)
            first = patches[0].pixels[0]
            patches += _label_patches(patches[0], before if season else None, label_rasters or {})
            before = first
            items.append(writer.write_scene(replace(scene, labels=mine), patches))
        writer.finish(location, items, [])
    writer.close()
    return folder


def make_scene(sensor: Sensor, location: Location, season: int, *, seed: int) -> tuple[Scene, list[Patch]]:
    """A scene of smooth random ground, clear and whole, without its files; a static layer's is of no season."""
    rng = np.random.default_rng(seed)
    patches = [_patch(sensor, location, gsd, rng) for gsd in sensor.gsds]
    if sensor.mask:
        patches.append(_mask(sensor, sensor.mask, location))
    shares = mask_shares(patches[-1].pixels[0], sensor.mask.name) if sensor.mask else None
    when = FIRST_DAY + timedelta(days=91 * season)
    vintage = sensor.id in ("spot-ortho", "aerial-ortho")
    start, end = sensor.interval or ((when, when + timedelta(days=60)) if vintage else (None, None))
    needs_offset = sensor.constellation == "sentinel-2" and bool(sensor.bands[0].offset)
    return Scene(
        sensor=sensor.id,
        location=location,
        rasters=(),
        datetime=None if start else when,
        start_datetime=start,
        end_datetime=end,
        season=None if sensor.is_static else season,
        cloud_percent=shares.not_clear if shares else None,
        snow_percent=shares.snow if shares else None,
        unclassified_percent=shares.unclassified if shares else None,
        valid_percent=100.0,
        cloud_source=sensor.mask.name if sensor.mask else None,
        source_cloud_percent=12.5,
        source="testing",
        source_id=f"{sensor.id}-{season}",
        source_href=f"https://example.com/{sensor.id}/{season}.json",
        platform="sentinel-2a" if sensor.constellation == "sentinel-2" else None,
        sun_elevation=41.25,
        sun_azimuth=160.5,
        baseline="05.10" if sensor.constellation == "sentinel-2" else None,
        radiometry=Radiometry("default", "consistent", "applied" if needs_offset else None, "dark"),
        simulated=True,
    ), patches


def _patch(sensor: Sensor, location: Location, gsd: float, rng: np.random.Generator) -> Patch:
    bands = tuple(band for band in sensor.bands if band.gsd == gsd)
    grid = location.grid(gsd)
    ground = np.stack([_smooth(grid.shape, rng) for _ in bands])
    pixels: NDArray[Any] = _to_numbers(ground, bands[0], sensor.data_type)
    return Patch(f"{gsd:g}m", pixels, bands, grid, tuple(_source(sensor, band, grid.shape) for band in bands))


def _mask(sensor: Sensor, mask: Band, location: Location) -> Patch:
    grid = location.grid(mask.gsd)
    clear = {"scl": 4, "qa_pixel": 1 << 6}[mask.name]
    pixels = np.full((1, *grid.shape), clear, dtype=sensor.mask_type)
    return Patch(mask.name, pixels, (mask,), grid, (_source(sensor, mask, grid.shape),), is_mask=True)


def _label_patches(finest: Patch, before: NDArray[Any] | None, classes: Mapping[str, Sequence[str]]) -> list[Patch]:
    """Label rasters that hang on the finest patch of an item, and on the first band of the item before."""
    now = finest.pixels[0].astype(np.float64)
    values = {"labels": now} if before is None else {"labels": now, "change": np.abs(now - before)}
    return [
        label_patch(key, _ranked(values[key], len(names)), names, finest.grid)
        for key, names in sorted(classes.items()) if key in values
    ]  # fmt: skip


def _ranked(values: NDArray[np.float64], count: int) -> NDArray[np.uint8]:
    """Values as so many classes of equal size, in their order; the first row unknown."""
    edges = np.quantile(values, np.arange(1, count) / count)
    ranks = np.searchsorted(edges, values, side="right").astype(np.uint8)
    ranks[0] = UNKNOWN_LABEL
    return ranks


def _smooth(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Reflectance of smooth ground with fine texture, 0.02 to 0.5."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] / max(shape)
    waves = sum(np.sin(rng.uniform(2, 20) * rows + rng.uniform(2, 20) * columns + rng.uniform(0, 6)) for _ in range(4))
    ground: NDArray[np.float64] = np.clip(0.18 + 0.03 * waves + rng.normal(0, 0.02, shape), 0.02, 0.5)
    ground.flat[:: max(ground.size // 40, 7)] = 0.02
    return ground


def _to_numbers(ground: NDArray[np.float64], band: Band, data_type: str) -> NDArray[Any]:
    if data_type == "float32":
        return ground.astype(data_type)
    return np.round((ground - (band.offset or 0)) / (band.scale or 1)).astype(data_type)


def _source(sensor: Sensor, band: Band, shape: tuple[int, int]) -> SourceWindow:
    return SourceWindow(f"https://example.com/{sensor.id}/{band.name}.tif", (120, 60, shape[1], shape[0]), '"etag"')
