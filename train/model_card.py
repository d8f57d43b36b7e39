"""The model card of exported weights: how to open them, how to feed them, where they come from, what they are not. Pure.

Its code runs as it stands, from the folder that it lies in, and the tests run it.
"""

from __future__ import annotations

from catalogs.bands import SENSORS
from train.config import InputSpec
from train.exported import WEIGHTS, Exported
from train.provenance import Provenance

KERNELS = {
    "bilinear": "np.maximum(1 - x, 0)",
    "bicubic": "np.where(x < 1, (1.5 * x - 2.5) * x**2 + 1, np.where(x < 2, ((2.5 - 0.5 * x) * x - 4) * x + 2, 0))",
}
"""Weight of a pixel at distance x, Pillow's and torchvision's."""
_PARTS = {
    "student": "student, whose weights the optimizer moved",
    "teacher": "teacher, the running mean of the student's weights; figures below are of the student",
}


def model_card(exported: Exported, spec: InputSpec, provenance: Provenance) -> str:
    """Write the card.

    Args:
        exported: What was exported.
        spec: What it expects of its input.
        provenance: Where it comes from.

    Returns:
        Markdown with the front matter that model hubs read.
    """
    parts = (_front_matter(provenance), _summary(exported, spec, provenance), _opening(exported, spec), _feeding(spec),
             _origin(provenance), _rights(provenance), _limits(spec, provenance))  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _front_matter(provenance: Provenance) -> str:
    return (
        "---\n"
        f"license: {provenance.license.lower()}\n"
        "library_name: timm\n"
        "pipeline_tag: image-feature-extraction\n"
        "tags:\n- earth-observation\n- remote-sensing\n- self-supervised-learning\n- seastars\n"
        "---"
    )


def _summary(exported: Exported, spec: InputSpec, provenance: Provenance) -> str:
    return (
        f"# {provenance.name}\n\n"
        f"A {exported.timm_name} backbone that turns images of {spec.sensor} ({', '.join(spec.bands)}) into "
        f"{exported.features} features. It was pre-trained without labels by {provenance.method} (recipe "
        f"`{provenance.recipe}`) on {provenance.locations:,} locations of the catalog `{provenance.catalog_id}`. "
        f"It has {exported.parameters:,} parameters and no classifier."
    )


def _opening(exported: Exported, spec: InputSpec) -> str:
    size = f", img_size={spec.size_px}" if exported.has_fixed_size else ""
    return f"""## Open it

With timm, from this folder:

```python
import timm

backbone = timm.create_model("local-dir:.", pretrained=True).eval()
```

From the bare `{WEIGHTS}`:

```python
import timm
from safetensors.torch import load_file

backbone = timm.create_model("{exported.timm_name}", num_classes=0, in_chans={len(spec.bands)}{size}).eval()
backbone.load_state_dict(load_file("{WEIGHTS}"))
```

Both give (batch, {exported.features}) features of (batch, {len(spec.bands)}, {spec.size_px}, {spec.size_px}) images. SHA-256 of
the weights: `{exported.sha256}`."""


def _feeding(spec: InputSpec) -> str:
    rows = zip(spec.bands, spec.low, spec.high, spec.mean, spec.std, strict=True)
    table = "\n".join(f"| {band} | {low} | {high} | {mean} | {std} |" for band, low, high, mean, std in rows)
    return f"""## Feed it

Each band becomes reflectance, is scaled so that *low* becomes 0 and *high* becomes 1, clipped, resized with antialiasing to
{spec.size_px} px, and normalised. A pixel without a measurement gets 0, the mean.

| band | low | high | mean | std |
|---|---|---|---|---|
{table}

```python
import numpy as np

SIZE = {spec.size_px}
LOW = {list(spec.low)}
HIGH = {list(spec.high)}
MEAN = {list(spec.mean)}
STD = {list(spec.std)}


def line_weights(pixels):
    # what each pixel of a line weighs in each of SIZE pixels; places are rounded to 32 bits as torch does
    step = np.float32(pixels) / np.float32(SIZE)
    centers = step * (np.arange(SIZE, dtype=np.float32)[:, None] + np.float32(0.5))
    x = abs(np.arange(pixels, dtype=np.float32) + np.float32(0.5) - centers) / max(step, np.float32(1))
    kernel = {KERNELS[spec.interpolation]}
    return kernel / kernel.sum(1, keepdims=True)


def resize(image):
    return line_weights(image.shape[0]) @ image @ line_weights(image.shape[1]).T


def to_input(bands, scale, offset, nodata):
    # raw numbers to an image: one 2-D array per band, in the order above, each at its own pixel size
    planes = []
    for numbers, low, high, mean, std in zip(bands, LOW, HIGH, MEAN, STD):
        numbers = np.asarray(numbers, dtype=float)
        valid = (numbers != nodata) & ~np.isnan(numbers)
        scaled = np.clip((scale * numbers + offset - low) / (high - low), 0, 1)
        weight = resize(valid.astype(float))
        scaled = np.clip(resize(np.where(valid, scaled, 0)) / np.maximum(weight, 0.25), 0, 1)
        planes.append(np.where(weight >= 0.5 - 1e-5, (scaled - mean) / std, 0))
    return np.stack(planes)[None].astype(np.float32)
```

{_numbers(spec)}"""


def _numbers(spec: InputSpec) -> str:
    """How the sensor's numbers become reflectance, as far as we know it."""
    own = "`raster:scale` and `raster:offset` of a STAC item say how its numbers become reflectance."
    if spec.sensor not in SENSORS:
        return own
    known = {band.name: band for band in SENSORS[spec.sensor].bands}
    first = known.get(spec.bands[0])
    if first is None or first.scale is None:
        return own
    call = f"to_input(bands, {first.scale:g}, {first.offset or 0:g}, {first.nodata})"
    return (
        f"{own} Of {spec.sensor} they are usually {first.scale:g} and {first.offset or 0:g}, with nodata {first.nodata}; then "
        f"`torch.from_numpy({call})` is what the backbone takes. Read them from the item all the same: they changed with the "
        "processing."
    )


def _origin(provenance: Provenance) -> str:
    found = {
        "method, recipe": f"{provenance.method}, `{provenance.recipe}`",
        "part": _PARTS.get(provenance.part, provenance.part),
        "started from": provenance.initial or "random weights",
        "catalog": f"`{provenance.catalog_id}`, {provenance.locations:,} locations",
        "SHA-256 of its index": f"`{provenance.index_hash}`",
        "area (west, south, east, north)": provenance.bbox and ", ".join(f"{edge:g}" for edge in provenance.bbox),
        "time": provenance.interval and " to ".join(provenance.interval),
        "optimizer steps, epochs": f"{provenance.steps:,}, {provenance.epochs:g}",
        **{name: f"{value:.6g}" for name, value in sorted(provenance.figures.items())},
        "versions": ", ".join(f"{name} {version}" for name, version in sorted(provenance.versions.items())),
        "commit of seastars": provenance.git_commit,
        "exported": provenance.created,
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in found.items() if value)
    return f"## Where it comes from\n\n| | |\n|---|---|\n{rows}\n\n`config.json` has every setting under `seastars`."


def _rights(provenance: Provenance) -> str:
    held = provenance.license if provenance.license != "other" else "see whoever gave them to you"
    sentences = "\n".join(f"- {sentence}" for sentence in provenance.attribution)
    owed = f"The data that they were trained on ask for:\n\n{sentences}" if sentences else "No attribution was recorded."
    return f"## Licence and attribution\n\nThe weights: {held}. {owed}"


def _limits(spec: InputSpec, provenance: Provenance) -> str:
    ground = f"{provenance.locations:,} locations{' within the box above' if provenance.bbox else ''}"
    return (
        "## Limits\n\n"
        "- The figures above are from training: what the features are worth on your task, measure on data held out by place.\n"
        f"- It saw {ground}, and the dates above: other climates, land covers and seasons are beyond what it learned.\n"
        f"- It expects {spec.sensor} reflectance in this band order. Another sensor or processing level, images stretched to "
        "8 bits or bands in another order give features without warning, and worse ones.\n"
        "- It learned without labels, and so whatever is common in its data: clouds that were missed, places that were "
        "sampled more than others."
    )
