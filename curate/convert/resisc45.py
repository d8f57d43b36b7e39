"""NWPU-RESISC45: 31,500 images in 45 classes of scenes, 700 of each, cut from Google Earth; JPEG of 256 x 256 pixels.

What the files do not say is not made up: ground and date of an image are not known, and a pixel is 0.2 to 30 m, differing from
image to image, so that it is one metre of a frame of its own here. Values are display values. Copies of the archive state
different licences (CC BY-NC 4.0, CC BY-SA, none), so that none is passed on as certain.

The paper draws its splits at random, and publishes no list. Here each image is in `test` by a seeded hash of its name, one in
five, else in `train`.

References:
    Cheng, Han, Lu, Proceedings of the IEEE 2017, https://doi.org/10.1109/JPROC.2017.2675998
    (https://arxiv.org/abs/1703.00121)
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from curate.convert.scene_images import SceneImages, open_scene_images

RESISC45 = SceneImages(
    kind="resisc45",
    title="NWPU-RESISC45",
    sensor="resisc45-rgb",
    classes=(
        "airplane", "airport", "baseball_diamond", "basketball_court", "beach", "bridge", "chaparral", "church",
        "circular_farmland", "cloud", "commercial_area", "dense_residential", "desert", "forest", "freeway", "golf_course",
        "ground_track_field", "harbor", "industrial_area", "intersection", "island", "lake", "meadow", "medium_residential",
        "mobile_home_park", "mountain", "overpass", "palace", "parking_lot", "railway", "railway_station",
        "rectangular_farmland", "river", "roundabout", "runway", "sea_ice", "ship", "snowberg", "sparse_residential", "stadium",
        "storage_tank", "tennis_court", "terrace", "thermal_power_station", "wetland",
    ),
    member=r"_\d+\.jpe?g",
    count=31_500,
    published=datetime(2017, 3, 1, 23, 59, 59, tzinfo=UTC),
    resize=False,
    expected="NWPU-RESISC45.zip, or the folder that it unpacks to, with images <class>/<class>_<number>.jpg",
)  # fmt: skip

open_resisc45 = partial(open_scene_images, RESISC45)
"""The images of NWPU-RESISC45 at a path."""
