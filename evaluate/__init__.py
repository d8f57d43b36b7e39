"""Score weights on a labelled catalog. A reader of catalogs and of weights; not part of this version."""
