"""Pre-train backbones on a catalog. A reader of catalogs; not part of this version."""
