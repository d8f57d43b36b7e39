"""The contract between who writes a dataset and who reads it: a STAC catalog of squares of ground, seen by sensors.

```python
from catalogs import open_catalog

catalog = open_catalog("data/france")                       # or https://..., s3://...
items = catalog.items(sensor="sentinel-2-l2a", split="train", max_cloud_percent=10)
scene = catalog.read(items[0], bands=["B04", "B03", "B02"])  # (bands, height, width), native type
for location, scenes in items.by_location(): ...             # all scenes of a square, through the seasons
```

- A **location** is a square of ground in a UTM zone, on the 60 m lattice of Sentinel-2; it belongs to a split. Images of a
  released data set may lie off the lattice, or where nobody knows: then they have no geometry and match no bounding box.
- An **item** (a `Scene` here) is one acquisition of one sensor over one location. All items of a location share its square
  exactly, whatever their pixel size. It may have labels.
- A **raster** is one file of an item: all bands of one pixel size, or a mask. Pixels are the provider's own wherever its grid
  is ours; else the raster names its resampling. Nodata stays nodata, nothing is stretched. Files of a released data set may
  stay where they are, within the catalog's folder: JPEG, PNG or TIFF as they were published, of several bands or of one.
- **Reflectance** is `scale * DN + offset`, both in the item; `read` gives DN, `read(..., reflectance=True)` applies them.
- A catalog is a folder, or a prefix in an object store: `catalog.json`, `locations.parquet`, `recipe.json`, and per sensor a
  `collection.json`, the index `items.parquet`, and the items' files. All hrefs are relative and stay within; it may be moved.
- The index is stac-geoparquet, derived, and enough to read by; JSON items are there for other tools, up to 50,000 of them.
  Where it is large and all there is, it lies in files of 5,000 locations each: `items/00000.parquet` and those that follow.
- Writing is atomic: a catalog opens at any moment, and what a killed run left is unfinished, not invalid.
- The contract has a version; a reader takes its own major version and names the remedy otherwise.
- Other people's catalogs open too, if their bands can be told; their scenes are `catalogs.foreign.SourceScene`.

`records` has the records, `bands` the sensors, `to_stac` and `from_stac` their two spellings, `reader` and `writer` the two
ends, `checks` what makes a catalog valid, `errors` what can go wrong. Names below are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalogs.bands import SENSORS, Sensor, find_sensor
    from catalogs.errors import CatalogError
    from catalogs.from_stac import scene_from_item
    from catalogs.items import Items
    from catalogs.pixels import read_raster
    from catalogs.reader import Catalog, open_catalog
    from catalogs.records import Band, Grid, Location, Raster, Scene
    from catalogs.to_stac import scene_to_item

__all__ = [
    "SENSORS",
    "Band",
    "Catalog",
    "CatalogError",
    "Grid",
    "Items",
    "Location",
    "Raster",
    "Scene",
    "Sensor",
    "find_sensor",
    "open_catalog",
    "read_raster",
    "scene_from_item",
    "scene_to_item",
]

_HOMES = {
    "bands": ("SENSORS", "Sensor", "find_sensor"),
    "errors": ("CatalogError",),
    "from_stac": ("scene_from_item",),
    "items": ("Items",),
    "pixels": ("read_raster",),
    "reader": ("Catalog", "open_catalog"),
    "records": ("Band", "Grid", "Location", "Raster", "Scene"),
    "to_stac": ("scene_to_item",),
}


def __getattr__(name: str) -> Any:
    """Load a public name's module when it is first asked for, so that importing the package costs nothing."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
