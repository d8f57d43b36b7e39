"""Pixels for the items of a provider: a small tile of plants, the same reflectance whatever the numbers carry."""

import json

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio import Affine

from catalogs import layout
from catalogs.lattice import squares_around
from catalogs.locations import write_locations
from catalogs.recipe import write_section
from catalogs.records import Location

SIDE_M = 4800
PLANTS = {
    "B01": 0.03, "B02": 0.03, "B03": 0.05, "B04": 0.03, "B05": 0.08, "B06": 0.2, "B07": 0.25, "B08": 0.3, "B8A": 0.32,
    "B09": 0.3, "B10": 0.002, "B11": 0.15, "B12": 0.08,
}  # fmt: skip
"""Reflectance of plants."""


def place_at(lon, lat):
    """A square of 600 m, and left and top of a tile around it, both on the lattice of Sentinel-2."""
    epsg, bounds = squares_around([lon], [lat], 600)
    square = Location("place-000000", int(epsg[0]), tuple(int(edge) for edge in bounds[0]), "train")
    left, _, _, top = square.bounds
    return square, left - 2100, top + 2100


def sampled(folder, square):
    """A catalog with that one location, as `curate sample` would leave it."""
    folder.mkdir(parents=True)
    write_section(folder, "sample", {"region": "test", "seed": 0})
    write_locations(folder / layout.LOCATIONS, [square])
    return folder


def footprint(epsg, left, top):
    """GeoJSON of a tile, lon/lat, and its bounding box."""
    to_lonlat = Transformer.from_crs(epsg, 4326, always_xy=True)
    corners = [(0, 0), (0, SIDE_M), (SIDE_M, SIDE_M), (SIDE_M, 0), (0, 0)]
    ring = [list(to_lonlat.transform(left + x, top - y)) for x, y in corners]
    lons, lats = zip(*ring, strict=True)
    return {"type": "Polygon", "coordinates": [ring]}, [min(lons), min(lats), max(lons), max(lats)]


def plant_numbers(band, gsd, offset):
    """Numbers of one band of the tile, DN; `offset` is what they carry, 0 or 1000."""
    rng = np.random.default_rng(sum(map(ord, band)))
    side = SIDE_M // gsd
    return (np.round(PLANTS[band] * rng.uniform(0.8, 1.4, (side, side)) * 1e4) + offset).astype("uint16")


def write_band(path, pixels, *, epsg, left, top, nodata=0):
    """Write one band, as JPEG 2000 without loss where its name ends so, else as a cloud-optimised GeoTIFF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    gsd = SIDE_M / pixels.shape[0]
    place = {"crs": f"EPSG:{epsg}", "transform": Affine(gsd, 0, left, 0, -gsd, top)}
    shape = {"height": pixels.shape[0], "width": pixels.shape[1], "count": 1, "dtype": pixels.dtype}
    if path.name.endswith(".jp2"):
        jpeg = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES", "BLOCKXSIZE": 128, "BLOCKYSIZE": 128}
        with rasterio.open(path, "w", **shape, **place, **jpeg) as raster:
            raster.write(pixels, 1)
        return
    blocks = {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"}
    with rasterio.open(path, "w", driver="GTiff", nodata=nodata, **shape, **place, **blocks) as raster:
        raster.write(pixels, 1)


def api_landing(url, *, conforms=("core", "collections", "item-search", "item-search#sort", "item-search#query")):
    """Landing page of a STAC API that searches by GET and POST."""
    search = [
        {"rel": "search", "method": method, "type": "application/geo+json", "href": f"{url}/search"}
        for method in ("GET", "POST")
    ]
    return {
        "type": "Catalog", "stac_version": "1.0.0", "id": "api", "description": "A STAC API",
        "conformsTo": [f"https://api.stacspec.org/v1.0.0/{each}" for each in conforms],
        "links": [{"rel": "root", "href": url}, {"rel": "data", "href": f"{url}/collections"}, *search],
    }  # fmt: skip


def built_reflectance(folder, item, name):
    """One band of a built item as reflectance, by what the item states."""
    for asset in item["assets"].values():
        names = [band["name"] for band in asset["bands"]]
        if name in names:
            band = asset["bands"][names.index(name)]
            with rasterio.open(folder / asset["href"]) as raster:
                return raster.read(names.index(name) + 1) * band["raster:scale"] + band["raster:offset"]
    raise AssertionError(f"{name} is not in {json.dumps(list(item['assets']))}")
