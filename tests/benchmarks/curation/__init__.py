"""Many small patches out of remote scenes: our reader beside rasterio, odc-stac and stackstac. See `__main__`."""
