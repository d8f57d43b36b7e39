"""What `catalogs.validate` is made of: one module per thing that is checked.

`documents` (the STAC files and their links), `locations`, `items` (one item's record), `rasters` (one file), `frames` (its
pixels), `places` (all items of one location), `coverage` (what is there of what was asked for), `texts` (secrets).
"""
