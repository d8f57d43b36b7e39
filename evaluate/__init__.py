"""Score weights on a labelled catalog. A reader of catalogs and of weights.

    weights + catalog -> features -> votes -> accuracy with its interval, beside what needs no training at all

- `task`: which items of a catalog are labelled, how they are parted by location, and the hash of that.
- `features`, `baselines`: one vector per item, from a backbone or from statistics of its bands.
- `knn`: classes from the nearest training vectors; `confidence`: how sure a mean is.
- `protocol` puts these in order, `result` is what comes out, `online` is the same during a training.
"""
