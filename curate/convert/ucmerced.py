"""UC Merced Land Use: 2,100 aerial images in 21 classes, 100 of each, pixels of one foot; TIFF of 256 x 256 pixels.

Some of its images are a few pixels larger or smaller. They are brought to 256 x 256, bilinear, and their items say so; the
others are copied. Ground and date of an image are not known. A side of 256 feet is no whole number of metres, so that a pixel
is one metre of a frame of its own. Values are display values.

The paper draws five folds at random, and publishes no list. Here each image is in `test` by a seeded hash of its name, one in
five, else in `train`.

References:
    Yang, Newsam, ACM SIGSPATIAL GIS 2010, https://doi.org/10.1145/1869790.1869829
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from curate.convert.scene_images import SceneImages, open_scene_images

UCMERCED = SceneImages(
    kind="ucmerced",
    title="UC Merced Land Use",
    sensor="ucmerced-rgb",
    classes=(
        "agricultural", "airplane", "baseballdiamond", "beach", "buildings", "chaparral", "denseresidential", "forest",
        "freeway", "golfcourse", "harbor", "intersection", "mediumresidential", "mobilehomepark", "overpass", "parkinglot",
        "river", "runway", "sparseresidential", "storagetanks", "tenniscourt",
    ),
    member=r"\d+\.tiff?",
    count=2_100,
    published=datetime(2010, 11, 5, 23, 59, 59, tzinfo=UTC),
    resize=True,
    expected="UCMerced_LandUse.zip, or the folder Images that it unpacks to, with images <class>/<class><number>.tif",
)  # fmt: skip

open_ucmerced = partial(open_scene_images, UCMERCED)
"""The images of UC Merced Land Use at a path."""
