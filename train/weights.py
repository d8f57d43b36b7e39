"""Backbones with weights, by one name: an export, a run, timm's, random ones, a published checkpoint.

Loading is strict: every tensor fits, or an error says which does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from train.backbones import check_name, make_backbone
from train.config import InputSpec, from_json
from train.errors import CheckpointError, ConfigError
from train.exported import CONFIG, SECTION, VERSION, WEIGHTS
from train.positions import fit_positions, fit_to_size
from train.published import read_published
from train.published_inputs import COLORS, PICTURE
from train.run_folder import CHECKPOINTS as RUN_CHECKPOINTS
from train.run_folder import WEIGHTS as RUN_WEIGHTS
from train.tensors import decode_tensors, hash_tensors, load_strictly

if TYPE_CHECKING:
    from torch import Tensor

SEED = 0
"""Of `random:NAME`."""
KINDS = ("timm", "random")
_FORMS = (
    "Expected an export's folder, a run's folder, timm:NAME, random:NAME, or a published checkpoint of SeCo, DINO, DINO-MC, "
    "X-STARS or SSL4EO-S12 (FILE, or FILE#PART such as FILE#student)"
)


@dataclass(frozen=True, slots=True, eq=False)
class LoadedBackbone:
    """A backbone with its weights."""

    module: nn.Module
    """(batch, bands, size, size) to (batch, features); on the CPU, in evaluation mode."""
    spec: InputSpec | None
    """What it expects of its input; none where the weights do not say (`timm:`, `random:`)."""
    name: str
    """As it was asked for."""
    identity: str
    """SHA-256 of its tensors as a safetensors file: the same weights have the same, wherever they lie."""
    timm_name: str
    """What timm calls its architecture."""

    @property
    def pooling(self) -> str:
        """How many features of places become one vector: `class token`, `mean`, or what else timm calls it."""
        pool = getattr(self.module, "global_pool", None) or getattr(getattr(self.module, "head", None), "global_pool", None)
        kind = str(getattr(pool, "pool_type", pool))
        return {"token": "class token", "avg": "mean"}.get(kind, kind)


@dataclass(frozen=True, slots=True, eq=False)
class _Stored:
    """Weights from a file."""

    timm_name: str
    tensors: dict[str, Tensor]
    spec: InputSpec
    where: str
    is_published: bool = False


def load_backbone(
    name: str | Path, *, bands: Sequence[str] | None = None, size_px: int | None = None, sensors: Sequence[str] = ()
) -> LoadedBackbone:
    """Load a backbone with its weights.

    Args:
        name: Path of an export's folder, of a run's folder (its `weights` are taken) or of a published checkpoint, with
            `#student` and the like behind it for another part than its authors evaluate, see `read_published`; `timm:NAME`
            for timm's own weights, its first layer adapted to the bands; `random:NAME` for weights that were never trained,
            always the same.
        bands: That it is to read, in their order. Needed of `timm:` and `random:`, where red, green and blue are meant if
            absent; of others, weights of other bands are refused.
        size_px: Side of the images, for `timm:` and `random:` networks that are made for one size.
        sensors: Whose images it is to read: of a run on several sensors the weights of the one that is among these are taken.

    Raises:
        CheckpointError: There are no such weights, they are damaged or of another version, do not fit, or may not be read.
        ConfigError: timm does not know the name, or cannot make the backbone.
    """
    kind, _, timm_name = str(name).partition(":")
    if kind in KINDS:
        module = _make(kind, timm_name, bands=len(bands or "RGB"), size_px=size_px)
        return LoadedBackbone(module.eval(), None, str(name), hash_tensors(module.state_dict()), timm_name)
    stored = _read(name, sensors)
    _check_bands(stored, bands)
    with torch.random.fork_rng(devices=[]):
        module = make_backbone(stored.timm_name, bands=len(stored.spec.bands), size_px=stored.spec.size_px)
    load_strictly(module, stored.tensors, where=stored.where)
    return LoadedBackbone(module.eval(), stored.spec, str(name), hash_tensors(stored.tensors), stored.timm_name)


def load_into(backbone: nn.Module, name: str | Path, *, bands: Sequence[str] | None = None, sensors: Sequence[str] = ()) -> str:
    """Put weights into a backbone that is there, such as one that is about to be trained.

    Where the backbone is made for images of another size, the positions that the weights have learnt are interpolated: those of
    published ViTs as DINO does, bicubic by a factor (`resize_positions`); those of exports and of `timm:` as timm does, bicubic
    by size and antialiased (`fit_to_size`).

    Args:
        backbone: Nothing of it changes unless all fits.
        name: As for `load_backbone`.
        bands: That it reads, in their order; weights that say theirs are refused where they differ.
        sensors: As for `load_backbone`.

    Returns:
        The weights' identity.

    Raises:
        CheckpointError: As for `load_backbone`; of weights with other bands the message says how many they were trained with.
        ConfigError: As for `load_backbone`.
    """
    if str(name).partition(":")[0] in KINDS:
        loaded = load_backbone(name, bands=["band"] * _channels(backbone), size_px=_image_side(backbone))
        load_strictly(backbone, loaded.module.state_dict(), where=str(name))
        return loaded.identity
    stored = _read(name, sensors)
    _check_bands(stored, bands)
    fit = fit_positions if stored.is_published else fit_to_size
    load_strictly(backbone, fit(stored.tensors, backbone), where=stored.where)
    return hash_tensors(stored.tensors)


def read_input(name: str | Path, *, sensors: Sequence[str] = ()) -> InputSpec | None:
    """What weights expect of their input; none where they do not say (`timm:`, `random:`). Arguments as of `load_backbone`.

    Raises:
        CheckpointError: As for `load_backbone`.
    """
    return None if str(name).partition(":")[0] in KINDS else _read(name, sensors).spec


def sensors_of(name: str | Path) -> tuple[str, ...]:
    """Sensors that a run on several has weights of, each in a folder of its own; none of all other weights."""
    path = Path(name)
    return tuple(_by_sensor(path) or _by_sensor(path / RUN_WEIGHTS))


def _make(kind: str, name: str, *, bands: int, size_px: int | None) -> nn.Module:
    check_name(name)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        if kind == "random":
            return make_backbone(name, bands=bands, size_px=size_px)
        try:
            return make_backbone(name, bands=bands, size_px=size_px, pretrained=True)
        except ConfigError as error:
            if not isinstance(error.__cause__, OSError):
                raise
            reason = str(error.__cause__).splitlines()[0]
            raise CheckpointError(
                f"timm's weights of {name} are not on this machine and cannot be fetched: {reason} "
                f"Fetch them once where there is a network, set HF_HOME to where they lie, or take random:{name}."
            ) from error


def _read(name: str | Path, sensors: Sequence[str] = ()) -> _Stored:
    """Weights from a path."""
    path = Path(name)
    file, sharp, part = str(name).rpartition("#")
    if path.is_file():
        return _read_file(path)
    if sharp and Path(file).is_file():
        return _read_file(Path(file), part)
    if (path / WEIGHTS).is_file():
        return _read_export(path)
    if (path / RUN_WEIGHTS / WEIGHTS).is_file():
        return _read_export(path / RUN_WEIGHTS)
    several = _by_sensor(path) or _by_sensor(path / RUN_WEIGHTS)
    if several:
        return _read_export(_of_sensor(several, sensors, name))
    if path.is_dir():
        run = (path / RUN_CHECKPOINTS).is_dir()
        remedy = f"Make them with train export {path}." if run else f"{_FORMS}."
        raise CheckpointError(f"{path} holds no weights: there is neither {WEIGHTS} nor {RUN_WEIGHTS}/{WEIGHTS}. {remedy}")
    kind, colon, rest = str(name).partition(":")
    guess = get_close_matches(kind, KINDS, 1, 0.5) if colon else []
    meant = f" Did you mean {f'{guess[0]}:{rest}'!r}?" if guess else ""
    raise CheckpointError(f"There are no weights {str(name)!r}. {_FORMS}.{meant}")


def _by_sensor(folder: Path) -> dict[str, Path]:
    """Exports of several sensors, each in a folder of its own that is called as it is; none where there are no such."""
    exports = [each.parent for each in sorted(folder.glob(f"*/{WEIGHTS}"))]
    return {each.name: each for each in exports if _read_config(each / CONFIG)[SECTION]["input"]["sensor"] == each.name}


def _of_sensor(folders: Mapping[str, Path], sensors: Sequence[str], name: str | Path) -> Path:
    """The folder of the one sensor that is asked for."""
    found = [folder for sensor, folder in folders.items() if sensor in sensors]
    if len(found) == 1:
        return found[0]
    asked = f", and asked for are {' and '.join(sensors)}" if sensors else ""
    raise CheckpointError(
        f"{name} holds weights of {len(folders)} sensors, {', '.join(folders)}{asked}. Name those of one, such as "
        f"{next(iter(folders.values()))}; a command with --sensor takes them by that."
    )


def _read_file(path: Path, part: str | None = None) -> _Stored:
    if path.suffix == ".safetensors":
        raise CheckpointError(
            f"{path} does not say what its weights expect of their input. Give the folder of the export, with its {CONFIG}: "
            f"{path.parent}."
        )
    published = read_published(path, part)
    return _Stored(published.timm_name, published.tensors, published.spec, str(path), is_published=True)


def _read_export(folder: Path) -> _Stored:
    config = _read_config(folder / CONFIG)
    section = config[SECTION]
    content = (folder / WEIGHTS).read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != section["weights_sha256"]:
        raise CheckpointError(
            f"{folder / WEIGHTS} is not what was exported: its SHA-256 begins with {sha256[:12]}, {CONFIG} says "
            f"{section['weights_sha256'][:12]}. Copy the folder again, or export it again."
        )
    spec = from_json(InputSpec, section["input"])
    return _Stored(config["architecture"], decode_tensors(content, folder / WEIGHTS), spec, str(folder))


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = config[SECTION]["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} does not say what the weights beside it expect of their input ({type(error).__name__}: {error}). "
            "Expected a folder that train export wrote, whole."
        ) from error
    if version != VERSION:
        raise CheckpointError(
            f"{path} has version {version}; this seastars reads version {VERSION}. "
            "Export it again, or use the seastars that wrote it."
        )
    return config


def _check_bands(stored: _Stored, bands: Sequence[str] | None) -> None:
    """Refuse other bands; of pictures, red, green and blue are those of any sensor."""
    if stored.spec.bands == PICTURE and tuple(COLORS.get(band, band) for band in bands or PICTURE) == PICTURE:
        return
    if bands is not None and tuple(bands) != stored.spec.bands:
        raise CheckpointError(
            f"{stored.where} was trained with {len(stored.spec.bands)} bands ({', '.join(stored.spec.bands)}); asked for are "
            f"{len(bands)} ({', '.join(bands)}). Pass --bands {','.join(stored.spec.bands)}, in this order."
        )


def _channels(backbone: nn.Module) -> int:
    """Channels that a backbone reads."""
    first = next(layer for layer in backbone.modules() if isinstance(layer, nn.Conv2d))
    return first.in_channels


def _image_side(backbone: nn.Module) -> int | None:
    """Side of the images that a backbone is made for, of networks that are made for one size; else none."""
    size: Any = getattr(getattr(backbone, "patch_embed", None), "img_size", None)
    return int(size[0]) if isinstance(size, tuple) else size
