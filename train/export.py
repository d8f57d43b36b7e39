"""Weights as a folder that timm opens, that says what to feed them, and that a STAC catalog can list.

The same weights with the same provenance give the same bytes, whenever and however often they are exported.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import timm
import torch

from catalogs import layout
from catalogs.files import is_remote
from catalogs.secrets import without_secrets
from train.backbones import check_name, feature_size
from train.config import InputSpec, to_json
from train.errors import CheckpointError
from train.exported import CARD, CONFIG, ITEM, SECTION, VERSION, WEIGHTS, Exported
from train.mlm import model_item
from train.model_card import model_card
from train.provenance import Provenance
from train.tensors import encode_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

_OLD = ".old"


def export_weights(folder: Path, backbone: nn.Module, *, timm_name: str, spec: InputSpec, provenance: Provenance) -> Path:
    """Write an export: `model.safetensors`, `config.json`, the model card `README.md`, and `item.json` for STAC.

    The folder is written beside its name, opened by timm, compared, and only then renamed. timm's `create_model` opens it with
    `"local-dir:FOLDER", pretrained=True`; it gives the very features.

    Args:
        folder: Where to; an export that lies there is replaced.
        backbone: As `train.backbones.make_backbone` makes it; left as it is.
        timm_name: What it was made as.
        spec: What it expects of its input.
        provenance: Where it comes from.

    Returns:
        The folder.

    Raises:
        CheckpointError: The folder holds something else, or timm makes another network of what would be written.
        ConfigError: timm does not know the name.
        OSError: The disk is full or cannot be written.
    """
    check_name(timm_name)
    _check_replaceable(folder)
    content = encode_tensors(backbone.state_dict())
    exported = _describe(backbone, timm_name, content)
    config = _config(backbone, exported, spec, provenance)
    texts = {
        CONFIG: json.dumps(config, indent=2, sort_keys=True) + "\n",
        CARD: model_card(exported, spec, provenance),
        ITEM: _item(folder, exported, spec, provenance),
    }
    part = folder.with_name(folder.name + layout.TEMPORARY)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        (part / WEIGHTS).write_bytes(content)
        for name, text in texts.items():
            (part / name).write_text(text, encoding="utf-8")
        _check_opens(part, backbone, spec)
        _put_in_place(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _check_replaceable(folder: Path) -> None:
    """Refuse to replace anything but an export."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / WEIGHTS).is_file():
        raise CheckpointError(
            f"{folder} is in the way: it holds {min(path.name for path in folder.iterdir())}, and no export. "
            "Give another folder with --out, or empty it."
        )


def _describe(backbone: nn.Module, timm_name: str, content: bytes) -> Exported:
    return Exported(
        timm_name=timm_name.split(".", maxsplit=1)[0],
        architecture=type(backbone).__name__,
        has_fixed_size=bool(_registered(backbone).get("fixed_input_size")),
        features=feature_size(backbone),
        parameters=sum(parameter.numel() for parameter in backbone.parameters()),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )


def _config(backbone: nn.Module, exported: Exported, spec: InputSpec, provenance: Provenance) -> dict[str, Any]:
    """The `config.json` of timm, with our section; of timm's own figures only those that hold for any weights."""
    size = {"img_size": spec.size_px} if exported.has_fixed_size else {}
    pretrained = timm.models.PretrainedCfg(
        input_size=(len(spec.bands), spec.size_px, spec.size_px),
        fixed_input_size=exported.has_fixed_size,
        interpolation=spec.interpolation,
        crop_pct=1.0,
        mean=spec.mean,
        std=spec.std,
        num_classes=0,
        first_conv=_registered(backbone).get("first_conv"),
        classifier=_registered(backbone).get("classifier"),
        license=provenance.license,
    )
    return {
        "architecture": exported.timm_name,
        "num_classes": 0,
        "num_features": exported.features,
        "model_args": {"in_chans": len(spec.bands), "num_classes": 0, **size},
        "pretrained_cfg": {name: value for name, value in asdict(pretrained).items() if value is not None},
        SECTION: {
            "version": VERSION,
            "input": to_json(spec),
            "weights_sha256": exported.sha256,
            "provenance": {**to_json(provenance), "catalog_href": _told_href(provenance)},
        },
    }


def _registered(backbone: nn.Module) -> Mapping[str, Any]:
    """What timm's registry says of a backbone."""
    found: Mapping[str, Any] = getattr(backbone, "pretrained_cfg", None) or {}
    return found


def _told_href(provenance: Provenance) -> str | None:
    """The catalog's address; of a path on this machine its name alone, which says nothing of who owns the machine."""
    href = provenance.catalog_href
    if href is None:
        return None
    return without_secrets(href) if is_remote(href) else Path(href).resolve().name


def _item(folder: Path, exported: Exported, spec: InputSpec, provenance: Provenance) -> str:
    href = provenance.catalog_href
    if href is not None:
        root = href if href.endswith(".json") else f"{href.rstrip('/')}/{layout.CATALOG}"
        href = without_secrets(root) if is_remote(root) else Path(os.path.relpath(root, folder)).as_posix()
    return json.dumps(model_item(exported, spec, provenance, catalog_href=href), indent=2) + "\n"


def _check_opens(part: Path, backbone: nn.Module, spec: InputSpec) -> None:
    """Open what was written as its users will, and compare it with what was meant."""
    try:
        with torch.random.fork_rng(devices=[]):
            opened = timm.create_model(f"local-dir:{part}", pretrained=True)
        same = _is_same(opened, backbone) and _features_agree(opened, backbone, spec)
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(_another_network(part, f": {str(error).splitlines()[0]}")) from error
    if not same:
        raise CheckpointError(_another_network(part, ", with other tensors or features"))


def _another_network(part: Path, how: str) -> str:
    return (
        f"timm makes another network of what would be exported as {part.stem}{how}. "
        "Export backbones as train.backbones.make_backbone makes them, with the name and bands that they were made with."
    )


def _is_same(opened: nn.Module, backbone: nn.Module) -> bool:
    wanted, found = backbone.state_dict(), opened.state_dict()
    return wanted.keys() == found.keys() and all(torch.equal(found[name], wanted[name].cpu()) for name in wanted)


def _features_agree(opened: nn.Module, backbone: nn.Module, spec: InputSpec) -> bool:
    """Whether both give the same features but for rounding, which hangs on the memory format."""
    ours, theirs = _probe(backbone, spec), _probe(opened.to(next(backbone.parameters()).device), spec)
    return ours.shape == theirs.shape and torch.allclose(ours, theirs, rtol=1e-2, atol=1e-3 * float(ours.abs().max()))


@torch.no_grad()
def _probe(backbone: nn.Module, spec: InputSpec) -> Tensor:
    """Features of one image, in evaluation mode; the modes of all parts are put back."""
    modes = {part: part.training for part in backbone.modules()}
    image = torch.linspace(-1, 1, len(spec.bands) * spec.size_px**2).view(1, len(spec.bands), spec.size_px, spec.size_px)
    features: Tensor = backbone.eval()(image.to(next(backbone.parameters()).device))
    for part, mode in modes.items():
        part.training = mode
    return features


def _put_in_place(part: Path, folder: Path) -> None:
    """Rename, moving away what was there; a folder cannot be replaced in one step."""
    old = folder.with_name(folder.name + _OLD)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
