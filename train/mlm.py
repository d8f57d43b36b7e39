"""Weights as a STAC item of the Machine Learning Model extension, as a plain dictionary. Pure.

The item's box and times are those of what the weights were trained on, as the extension's best practices ask.
"""

from __future__ import annotations

import re
from typing import Any

from catalogs.bands import SENSORS
from catalogs.to_stac import EXTENSION, STAC_VERSION, band_to_stac
from train.config import InputSpec
from train.exported import CARD, CONFIG, WEIGHTS, Exported
from train.provenance import Provenance

ALWAYS = ("1900-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
"""Times of weights whose training says none: the open interval that the extension's examples write."""
RESIZING = {"bilinear": "interpolation-linear", "bicubic": "interpolation-cubic"}
TASKS = ["similarity-search"]
"""What features are for, in the extension's words."""


def model_item(exported: Exported, spec: InputSpec, provenance: Provenance, *, catalog_href: str | None) -> dict[str, Any]:
    """Describe exported weights in STAC.

    Args:
        exported: What was exported.
        spec: What it expects of its input.
        provenance: Where it comes from.
        catalog_href: Of the training catalog's root, relative to the item or an address; none for no link.

    Returns:
        A STAC 1.1 item with hrefs relative to itself, valid by MLM 1.5.2.

    References:
        https://github.com/stac-extensions/mlm
    """
    geometry, bbox = _extent(provenance.bbox)
    link = {"rel": "derived_from", "href": catalog_href, "type": "application/json", "title": provenance.catalog_id}
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": _extensions(spec),
        "id": provenance.name,
        "geometry": geometry,
        **({"bbox": bbox} if bbox else {}),
        "properties": _properties(exported, spec, provenance),
        "links": [link] if catalog_href else [],
        "assets": {
            "model": {
                "href": f"./{WEIGHTS}",
                "type": "application/octet-stream; framework=pytorch",
                "title": f"Weights of the {exported.timm_name} backbone",
                "roles": ["mlm:model", "mlm:weights", "data"],
                "mlm:artifact_type": "safetensors.torch.save_file",
                "file:checksum": f"1220{exported.sha256}",
                "file:size": exported.size,
                "bands": [{"name": name} for name in spec.bands],  # STAC: none in the properties where no asset has any
            },
            "config": {
                "href": f"./{CONFIG}",
                "type": "application/json",
                "title": "timm's configuration, and the input in full",
                "roles": ["metadata"],
            },
            "card": {"href": f"./{CARD}", "type": "text/markdown", "title": "Model card", "roles": ["overview"]},
        },
    }


def _extensions(spec: InputSpec) -> list[str]:
    names = ["mlm/v1.5.2", "file/v2.1.0"]
    return [EXTENSION.format(name) for name in (*names, *(["eo/v2.0.0", "raster/v2.0.0"] if _is_known(spec) else []))]


def _is_known(spec: InputSpec) -> bool:
    """Whether wavelengths and scales of the bands are in our tables."""
    names = {band.name for band in SENSORS[spec.sensor].bands if band.common_name} if spec.sensor in SENSORS else set()
    return set(spec.bands) <= names


def _properties(exported: Exported, spec: InputSpec, provenance: Provenance) -> dict[str, Any]:
    start, end = provenance.interval or ALWAYS
    known = _is_known(spec)
    sensor = SENSORS.get(spec.sensor)
    found = {
        "title": provenance.name,
        "description": f"Features of {spec.sensor} images, learned without labels by {provenance.method}.",
        "created": provenance.created,
        "start_datetime": start,
        "end_datetime": end,
        "license": provenance.license,
        "constellation": sensor.constellation if sensor else None,
        "instruments": list(sensor.instruments) if sensor else None,
        "bands": [band_to_stac(sensor.band(name)) if sensor and known else {"name": name} for name in spec.bands],
        "mlm:name": provenance.name,
        "mlm:architecture": exported.architecture,
        "mlm:framework": "PyTorch",
        "mlm:framework_version": _release(provenance.versions.get("torch", "")),
        "mlm:total_parameters": exported.parameters,
        "mlm:memory_size": exported.size,
        "mlm:pretrained": True,
        "mlm:pretrained_source": provenance.catalog_id,
        "mlm:accelerator_constrained": False,
        "mlm:tasks": TASKS,
        "mlm:input": [_input(spec)],
        "mlm:output": [_output(exported)],
        "mlm:hyperparameters": {
            "method": provenance.method,
            "recipe": provenance.recipe,
            "backbone": exported.timm_name,
            "steps": provenance.steps,
            "epochs": provenance.epochs,
            "locations": provenance.locations,
            "catalog_index_sha256": provenance.index_hash,
        },
    }
    return {"datetime": None, **{name: value for name, value in found.items() if value is not None}}


def _release(version: str) -> str | None:
    """A version that the extension takes, which knows no alphas."""
    return version if re.fullmatch(r"\d+\.\d+\.\d+(\+[0-9A-Za-z.-]+)?", version) else None


def _input(spec: InputSpec) -> dict[str, Any]:
    numbers = zip(spec.low, spec.high, spec.mean, spec.std, strict=True)
    return {
        "name": "reflectance",
        "description": (
            "One image per sample, all bands on one grid. Values are reflectance, raster:scale * DN + raster:offset of the "
            "item; each band is scaled so that its low and high reflectance become 0 and 1, clipped, resized with "
            f"antialiasing to {spec.size_px} px, and normalised. README.md has it as code."
        ),
        "bands": list(spec.bands),
        "input": {
            "shape": [-1, len(spec.bands), spec.size_px, spec.size_px],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        "value_scaling": [
            {
                "type": "processing",
                "format": "numpy",
                "expression": f"(numpy.clip((x - {low}) / ({high} - {low}), 0, 1) - {mean}) / {std}",
            }
            for low, high, mean, std in numbers
        ],
        "resize_type": RESIZING[spec.interpolation],
    }


def _output(exported: Exported) -> dict[str, Any]:
    return {
        "name": "features",
        "description": "One vector per image; compare them by their cosine.",
        "tasks": TASKS,
        "result": {"shape": [-1, exported.features], "dim_order": ["batch", "embedding"], "data_type": "float32"},
    }


def _extent(bbox: tuple[float, float, float, float] | None) -> tuple[dict[str, Any] | None, list[float] | None]:
    """Geometry and bbox; two boxes where one crosses 180 degrees, nothing where none is known."""
    if bbox is None:
        return None, None
    west, south, east, north = bbox
    if west <= east:
        return {"type": "Polygon", "coordinates": _box(west, south, east, north)}, list(bbox)
    parts = [_box(west, south, 180.0, north), _box(-180.0, south, east, north)]
    return {"type": "MultiPolygon", "coordinates": parts}, list(bbox)


def _box(west: float, south: float, east: float, north: float) -> list[list[list[float]]]:
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]
