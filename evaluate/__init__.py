"""Score weights on a labelled catalog. A reader of catalogs and of weights.

    weights + catalog -> features -> votes -> accuracy with its interval, beside what needs no training at all

- `task`: which items of a catalog are labelled, how they are parted by location, and the hash of that.
- `opened`, `band_matching`: pixels of a catalog by the names that weights have for bands; `bench`, `dense_bench`: and the task.
- `features`, `baselines`: one vector per item, from a backbone or from what needs none.
- `knn`, `linear_probe`: classes from the nearest training vectors, or from a logistic regression on them; `fractions`: with a
  share of the labels.
- `finetune`: the same question to weights that are moved themselves; `finetune_trials` draws the items, `finetuning` is the
  loop, by `finetune_course`, `layer_decay` and `augmentation`.
- `metrics`, `confidence`: how good answers are, and how sure a mean of them is.
- `dense_*`, `segmentation`, `change`: the same of every pixel: maps of a backbone, heads on them, counts of pixels.
- `item_table`, `pairs`: what was answered to each item, and how far two scores are apart on the same ones.
- `asking` puts these in order, for `protocol` (kNN) and `linear_protocol`; `result` is what comes out, `online` is the same
  during a training.
- `leakage`: how much of what is tested was seen before; `compare`: results side by side, as lines and as a page.
"""
