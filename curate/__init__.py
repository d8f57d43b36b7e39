"""The writer of catalogs: from a place name to chosen scenes, their pixels and a STAC catalog of them."""
