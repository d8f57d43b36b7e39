"""Labels of each pixel of many items, by number: what dense tasks learn from and are scored against.

```python
labels = open_label_rasters(catalog, items, "labels")
for item in labels.rows:
    classes = labels.read(item)     # (height, width), numbers of labels.classes; 255 where nobody knows
```

They come from the items' label rasters: `labels` says what each pixel shows, `change` of a location's later item what changed
since the earlier one. A pack holds measurements alone, and none of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalogs import files
from catalogs.cache import Cache
from catalogs.errors import ContractError, MissingAssetError
from catalogs.items import Items
from catalogs.layers import Form
from catalogs.masks import unknown_labels
from catalogs.raster_pixels import RasterPixels
from catalogs.raster_table import RasterTable, read_raster_table
from catalogs.reader import Catalog
from catalogs.records import LABEL_KEYS
from catalogs.stack import one_store


@dataclass(frozen=True, eq=False)
class LabelRasters:
    """Label rasters of one key, of one size and one list of classes; see `open_label_rasters`. Goes to another process."""

    key: str
    """`labels` or `change`."""
    classes: tuple[str, ...]
    """Names of the values 0, 1, ..."""
    rows: NDArray[np.int64]
    """Numbers of the items that have one, ascending, (labelled items,)."""
    height: int
    """Rows of pixels."""
    width: int
    """Columns of pixels."""
    gsd: float
    """Side of a pixel, metres."""
    _pixels: RasterPixels = field(repr=False)
    _item_ids: tuple[str, ...] = field(repr=False)

    def read(self, item: int) -> NDArray[np.uint8]:
        """The labels of an item's pixels.

        Args:
            item: Its number, of `rows`.

        Returns:
            Numbers of classes, (height, width); 255 where nobody knows.

        Raises:
            MissingAssetError: The item has no such label raster, or its file is not there.
            CatalogUnreachableError: The file cannot be read.
            ContractError: It holds a value that no class has.
        """
        item = range(len(self._item_ids))[item]
        if self._pixels.table.which[self.key][item] < 0:
            raise MissingAssetError(
                f"Item {self._item_ids[item]} has no label raster {self.key}. Read items of `rows`, which have one."
            )
        (labels,) = self._pixels.read_asset(item, self.key)
        strange = unknown_labels(labels, self.classes) if labels.dtype == np.uint8 else []
        if labels.dtype != np.uint8 or labels.shape != (self.height, self.width) or strange:
            raise ContractError(
                f"Label raster {self.key} of item {self._item_ids[item]} is {labels.shape[1]} x {labels.shape[0]} px of "
                f"{labels.dtype}{f' with value {strange[0]}' if strange else ''}; expected {self.width} x {self.height} px of "
                f"uint8 below {len(self.classes)}, or 255. Run curate verify to see what else is wrong."
            )
        found: NDArray[np.uint8] = labels
        return found


def open_label_rasters(catalog: Catalog, items: Items, key: str, *, cache: Path | None = None) -> LabelRasters:
    """Open the label rasters of many items.

    Args:
        catalog: One of ours, a folder or an address.
        items: Of one sensor, of this catalog.
        key: `labels` or `change`.
        cache: Folder that keeps what is fetched of a remote catalog.

    Raises:
        MissingAssetError: No item has one.
        ContractError: There is no such kind of label raster; they differ in their classes or their size; or the items are what
            no stack can hold, see `open_stack`.
    """
    if key not in LABEL_KEYS:
        raise ContractError(f"Label rasters {key!r} were asked for; expected {' or '.join(LABEL_KEYS)}.")
    store, rows = one_store(catalog, items)
    table = read_raster_table(store, rows)
    form = _one_form(catalog, table, store.sensor, key)
    kept = Cache(cache) if cache is not None and files.is_remote(catalog.href) else None
    mine = replace(
        table,
        which={key: table.which[key]},
        hrefs={key: table.hrefs[key]},
        checksums={key: table.checksums[key]},
        scale={},
        offset={},
    )
    return LabelRasters(
        key=key,
        classes=form.classes,
        rows=np.flatnonzero(table.which[key] >= 0).astype(np.int64),
        height=form.height,
        width=form.width,
        gsd=form.gsd,
        _pixels=RasterPixels(mine, (), store.folder, catalog.href, trusts_hrefs=catalog.trusts_hrefs, cache=kept),
        _item_ids=tuple(items.table["id"].to_pylist()),
    )


def _one_form(catalog: Catalog, table: RasterTable, sensor: str, key: str) -> Form:
    """What all label rasters of a key are.

    Raises:
        MissingAssetError: There are none.
        ContractError: They differ.
    """
    counts = {form: count for form, count in table.counts().items() if form.key == key and form.classes}
    if not counts:
        known = [other for other in LABEL_KEYS if other in table.which and (table.which[other] >= 0).any()]
        raise MissingAssetError(
            f"None of {len(table)} items of {sensor} in {catalog} has a label raster {key!r}"
            f"{f'; they have {known[0]!r}' if known else ''}. Labels of pixels come with data sets that have them: see "
            "curate convert --help."
        )
    classes, sizes = Counter[str](), Counter[str]()
    for form, count in counts.items():
        classes[f"classes {', '.join(form.classes)}"] += count
        sizes[f"{form.width} x {form.height} px of {form.gsd:g} m"] += count
    for differing in (classes, sizes):
        if len(differing) > 1:
            listed = "; ".join(f"{count} with {what}" for what, count in differing.most_common())
            raise ContractError(
                f"The label rasters {key} of {sensor} differ: {listed}. A task has one list of classes and one size: take the "
                "items of one kind alone."
            )
    return next(iter(counts))
