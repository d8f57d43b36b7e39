"""What an export's folder holds, by name.

```
model.safetensors   the backbone's tensors
config.json         what timm needs to open them, and under `seastars` what we need to feed them
README.md           the model card
item.json           the same for STAC
```
"""

from __future__ import annotations

from dataclasses import dataclass

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
CARD = "README.md"
ITEM = "item.json"
SECTION = "seastars"
"""Our part of `config.json`; timm leaves it alone."""
VERSION = 1
"""Of that part."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported."""

    timm_name: str
    """timm's name of the backbone, without a tag of other weights."""
    architecture: str
    """Its family, such as `ResNet`: the class that timm makes."""
    has_fixed_size: bool
    """Whether the backbone is made for one image size, as most transformers are."""
    features: int
    """Length of the features."""
    parameters: int
    """Count of weights that were trained."""
    sha256: str
    """Of the weights' file."""
    size: int
    """Of the weights' file, bytes."""
