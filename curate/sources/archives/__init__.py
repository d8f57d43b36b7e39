"""Archives of the user's own: a mapping file, folders of loose GeoTIFFs, mosaics."""
