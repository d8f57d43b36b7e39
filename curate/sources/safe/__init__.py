"""Sentinel-2 products as ESA packs them: SAFE folders and zips, one by one or a folder full of them."""
