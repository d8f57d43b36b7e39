"""What `catalogs.validate` is made of: one module per thing that is checked.

`documents` (the STAC files above the items, and their links), `locations`, `places` (all items of one sensor at one location:
`items` their records, `rasters` their files, `frames` one band's pixels, `scenes` all bands of an item together), `coverage`
(what is there of what was asked for), `packs`, `leftovers` (of a stopped build), `texts` (secrets). `report` holds what is
found, `tree` reads files wherever they are.
"""
