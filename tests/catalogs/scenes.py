"""Scenes for tests: deterministic, of every sensor and every kind that a record can have."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from catalogs import layout
from catalogs.bands import SENSORS, Sensor, raster_key
from catalogs.lattice import squares_around
from catalogs.records import PNG, SPLITS, Band, Location, Radiometry, Raster, Scene, SourceWindow
from catalogs.to_stac import scene_to_item

FIRST_DAY = datetime(2023, 1, 14, 10, 50, 31, tzinfo=UTC)


def make_location(
    number: int = 0, *, lonlat: tuple[float, float] | None = None, side_m: int = 2640, slug: str = "france"
) -> Location:
    """A square, by default one of a row in northern France."""
    if lonlat is None:
        left, bottom = 447000 + 60 * (number % 1000), 5408040
        return Location(f"{slug}-{number:06d}", 32631, (left, bottom, left + side_m, bottom + side_m), SPLITS[number % 3])
    epsg, bounds = squares_around([lonlat[0]], [lonlat[1]], side_m)
    left, bottom, right, top = bounds[0].tolist()
    return Location(f"{slug}-{number:06d}", int(epsg[0]), (left, bottom, right, top), SPLITS[number % 4])


GROUNDLESS = Location("images-001234", None, (0, 0, 600, 600), "test")
"""An image of a released data set that does not say where it was taken."""
OFF_LATTICE = Location("images-001235", 32632, (500_017, 5_400_009, 500_617, 5_400_609), "train", off_lattice=True)
"""One that does, and lies where it lies."""


def make_scene(location: Location | None = None, sensor_id: str = "sentinel-2-l2a", *, visit: int = 0, **changes: Any) -> Scene:
    """A scene with every optional field; `changes` replace fields, `visit` counts acquisitions of the location."""
    location = location or make_location()
    scene = Scene(
        sensor_id,
        location,
        (),
        FIRST_DAY + timedelta(days=91 * visit, seconds=visit),
        season=visit,
        cloud_percent=round(7.3 * (int(location.id[-6:]) + visit) % 100, 4),
        snow_percent=0.0,
        unclassified_percent=0.5,
        valid_percent=100.0,
        cloud_source="scl",
        source_cloud_percent=12.345,
        source="earth-search",
        source_id=f"S2B_31UDQ_{visit}",
        source_href=f"https://archive.example/items/S2B_31UDQ_{visit}",
        platform="sentinel-2b",
        sun_elevation=55.25,
        sun_azimuth=140.0,
        relative_orbit=51,
        orbit_state="descending",
        baseline="05.09",
        radiometry=Radiometry("metadata", "consistent", "applied", "dark"),
        shift_m=(0.25, -1.0),
        labels=("broadleaf_forest", "étang"),
    )
    scene = replace(scene, **{key: value for key, value in changes.items() if key != "rasters"})
    return replace(scene, rasters=changes.get("rasters") or make_rasters(scene, SENSORS[sensor_id].bands))


def make_rasters(scene: Scene, bands: Sequence[Band], **changes: Any) -> tuple[Raster, ...]:
    """Rasters of those bands, and the mask where the sensor has one; `changes` replace fields of each."""
    sensor = SENSORS[scene.sensor]
    groups: dict[str, list[Band]] = {}
    for band in bands:
        groups.setdefault(raster_key(band), []).append(band)
    rasters = [make_raster(scene, sensor, key, group, **changes) for key, group in groups.items()]
    if sensor.mask:
        rasters.append(make_raster(scene, sensor, sensor.mask.name, [sensor.mask]))
    return tuple(sorted(rasters, key=lambda raster: raster.key))


def make_raster(scene: Scene, sensor: Sensor, key: str, bands: Sequence[Band], **changes: Any) -> Raster:
    """One raster, its checksum that of its name."""
    stem = layout.stem(scene.datetime, scene.start_datetime, scene.end_datetime)
    href = f"{layout.Layout().folder(scene.location)}/{layout.asset_name(stem, key)}"
    digest = sha256(href.encode()).hexdigest()
    is_mask = sensor.mask is not None and key == sensor.mask.name
    grid = scene.location.grid(bands[0].gsd)
    sources = tuple(
        SourceWindow(f"https://archive.example/{stem}/{band.name}.tif", (3, 141, grid.width, grid.height), f"1220{digest}")
        for band in bands
    )
    raster = Raster(
        key, href, tuple(bands), grid, sensor.mask_type if is_mask else sensor.data_type, f"1220{digest}", 99_000 + len(key),
        sources=sources, is_mask=is_mask,
    )  # fmt: skip
    return replace(raster, **changes)


def make_bare_scene(location: Location, sensor_id: str) -> Scene:
    """A scene without any optional field, its rasters without sources."""
    scene = Scene(sensor_id, location, (), datetime(2024, 2, 29, 23, 59, 59, 250_000, tzinfo=UTC))
    return replace(scene, rasters=make_rasters(scene, SENSORS[sensor_id].bands[:1], sources=()))


def make_vintage(location: Location, sensor_id: str) -> Scene:
    """A scene of an interval of dates, warped from a national projection, simulated."""
    start, end = datetime(2021, 4, 1, tzinfo=UTC), datetime(2021, 9, 30, 23, 59, 59, tzinfo=UTC)
    scene = make_scene(location, sensor_id, datetime=None, start_datetime=start, end_datetime=end, simulated=True)
    return replace(scene, rasters=make_rasters(scene, SENSORS[sensor_id].bands, resampling="cubic"))


def make_released_scene(location: Location, sensor_id: str, keys: Sequence[str] | None = None) -> Scene:
    """A scene whose files, or those of some keys, are somebody's and lie where they were."""
    scene = make_scene(location, sensor_id)
    return replace(
        scene,
        rasters=tuple(
            replace(raster, href=f"../River/{raster.key}.png", media_type=PNG, sources=())
            if keys is None or raster.key in keys else raster
            for raster in scene.rasters
        ),
    )  # fmt: skip


def every_kind() -> list[Scene]:
    """One scene of every kind: sensors, vintages, both hemispheres, across 180 degrees, without ground or off the lattice, all
    and no optional fields, their files ours or somebody's."""
    places = [None, (-68.1, -16.5), (179.9995, -17.8), (-179.9995, 65.2), (5.32, 60.39), (15.6, 78.2)]
    sampled = [make_location(number, lonlat=place, side_m=600) for number, place in enumerate(places)]
    scenes = []
    for location in (*sampled, GROUNDLESS, OFF_LATTICE):
        for sensor_id in SENSORS:
            scenes += [make_scene(location, sensor_id), make_bare_scene(location, sensor_id), make_vintage(location, sensor_id)]
    partial = make_scene(make_location(7), visit=1)
    red_only = [SENSORS["sentinel-2-l2a"].band("B04")]
    scenes.append(make_released_scene(replace(GROUNDLESS, id="images-001236"), "rgb-image"))
    scenes.append(make_released_scene(replace(OFF_LATTICE, id="images-001237"), "sentinel-2-l2a", ["10m", "60m"]))
    return [*scenes, replace(partial, rasters=make_rasters(partial, red_only))]


def make_items(locations: int, visits: int = 1, sensor_id: str = "sentinel-2-l2a") -> list[dict[str, Any]]:
    """Items in row form, sorted by location and id."""
    places = [make_location(number) for number in range(locations)]
    return [scene_to_item(make_scene(place, sensor_id, visit=visit)) for place in places for visit in range(visits)]
