"""A small backbone and all that an export of it says, for the tests of exports, cards, items and weights."""

from train.backbones import make_backbone
from train.config import InputSpec
from train.export import export_weights
from train.provenance import Provenance

RGB = ("B04", "B03", "B02")


def make_spec(bands=RGB, *, size_px=64, interpolation="bilinear"):
    count = len(bands)
    return InputSpec(
        sensor="sentinel-2-l2a",
        bands=tuple(bands),
        low=tuple(0.01 * (number + 1) for number in range(count)),
        high=tuple(0.25 + 0.02 * number for number in range(count)),
        mean=tuple(0.4 + 0.01 * number for number in range(count)),
        std=tuple(0.2 + 0.01 * number for number in range(count)),
        size_px=size_px,
        interpolation=interpolation,
    )


def make_provenance(**changed):
    return Provenance(
        **{
            "name": "seco-resnet10t-test",
            "method": "seco",
            "recipe": "seco",
            "catalog_id": "test",
            "index_hash": "ab" * 32,
            "locations": 1234,
            "steps": 5000,
            "epochs": 20.5,
            "bbox": (1.4, 43.5, 1.9, 43.7),
            "interval": ("2023-01-15T10:50:31Z", "2023-12-20T10:50:31Z"),
            "license": "CC-BY-4.0",
            "attribution": ("Contains modified Copernicus Sentinel data", "Places: GeoNames (geonames.org), CC BY 4.0."),
            "figures": {"loss": 21.25, "samples_per_s": 1512.3},
            "versions": {"torch": "2.15.0", "timm": "1.0.31"},
            "git_commit": "0" * 40,
            **changed,
        }
    )


def make_export(folder, *, name="resnet10t", spec=None, backbone=None, **changed):
    """An export of a backbone that was never trained; the backbone too."""
    spec = spec or make_spec()
    backbone = backbone or make_backbone(name, bands=len(spec.bands), size_px=spec.size_px)
    export_weights(folder, backbone, timm_name=name, spec=spec, provenance=make_provenance(**changed))
    return backbone
