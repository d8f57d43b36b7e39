"""Pre-train backbones on a catalog, without labels. A reader of catalogs.

    catalog -> batches of raw scenes -> views -> loss terms of a method -> weights, and the run folder that tells how

- `config`, `recipes`: what a training is, whole; functions that return one, named for what they reproduce.
- `samples`, `dataset`: locations and their scenes, drawn by seed, epoch and location; batches of raw numbers.
- `views` and what it is made of (`draws`, `parameters`, `cutting`, `resampling`, `photometric`): from raw scenes to views.
- `methods`: MoCo-v2, SeCo and DINO, each readable beside its paper; `losses`, `distillation_loss`, `heads`, `state`.
- `sensor_input`, `sensor_batches`, `sensor_views`: several sensors of the same locations; `ground_boxes`: one ground for all.
- `alignment_loss`, `alignment_heads`, `retrieval` and their like: what X-STARS adds to DINO.
- `prepare`, `loop`, `steps`, `journal`, `run_folder`, `health`: one loop for all methods, what it writes, and when it warns.
- `weights`, `published`, `export`, `checkpoint`: backbones by name, as they were published, for others; resuming.
"""
