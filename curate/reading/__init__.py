"""Reading many small windows of many large rasters: headers once, each block once, all of them at the same time."""
