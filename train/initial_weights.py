"""What a training begins with where the user has weights: a backbone, patch embeddings of further sensors, scalings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from catalogs.bands import SENSORS
from train.backbones import backbone_of
from train.config import InputSpec, TrainConfig
from train.errors import CheckpointError
from train.published_inputs import DINO_INPUT
from train.sensor_backbones import as_vit
from train.sensor_input import common_names
from train.weights import LoadedBackbone, load_backbone, load_into, read_input, sensors_of

if TYPE_CHECKING:
    from train.config import Alignment


@dataclass(frozen=True, slots=True, eq=False)
class InitialWeights:
    """Weights that training begins with, and how their input is scaled."""

    backbone: nn.Module
    """For the bands of the sensor that the weights are of."""
    embeddings: Mapping[str, nn.Module]
    """Patch embeddings that further sensors begin with a copy of, by their ids; the others are drawn."""
    specs: tuple[InputSpec, ...]
    """Scalings that the weights were trained with and that are kept, of the sensors that they tell one of."""
    notes: tuple[str, ...]
    """What does not begin as learnt, in words."""


def load_initial(init: str, config: TrainConfig, bands: Mapping[str, Sequence[str]]) -> InitialWeights:
    """Load what a training begins with; of a run on several sensors, the patch embedding and the scaling of each.

    Args:
        init: Name of the weights, as of `train.weights.load_backbone`.
        config: Of the training.
        bands: Of each sensor that is trained on, in the order of the channels, by its id.

    Raises:
        CheckpointError: There are no such weights, or they are of another architecture, of other bands, or of another sensor
            than the one that they are to encode.
        ConfigError: The backbone cannot be made, or has no tokens that sensors can share.
    """
    aligned, sensors = config.alignment, tuple(bands)
    encoded = sensors[0] if aligned is None else aligned.first_encoded(sensors)
    spec = read_input(init, sensors=(encoded,))
    if aligned is not None and spec is not None:
        _check_sensor(init, spec, aligned, sensors)
        _check_bands(init, spec, encoded, bands[encoded])
    backbone = _load(init, config, encoded, bands[encoded])
    further = {each: loaded for each, loaded in _load_further(init, bands) if each != encoded}
    kept = tuple(_kept([spec, *(each.spec for each in further.values())], config, bands))
    lacking = [each for each in sensors if each not in {known.sensor for known in kept}]
    notes = []
    if spec is not None and lacking and config.scaling == "measured":
        notes.append(f"The scaling of {' and '.join(lacking)} is measured: {init} tells none that fits.")
    if aligned is None or aligned.shared_patch_embedding:
        return InitialWeights(backbone, {}, kept, tuple(notes))
    embeddings = _embeddings(backbone, further, encoded, bands)
    missing = [each for each in sensors if each != encoded and each not in further]
    notes += [_describe(init, each, bands[each], encoded if each in embeddings else None) for each in missing]
    return InitialWeights(backbone, embeddings, kept, tuple(notes))


def _load(init: str, config: TrainConfig, sensor: str, bands: Sequence[str]) -> nn.Module:
    """The backbone of a configuration with the weights of a sensor."""
    with torch.random.fork_rng(devices=[]):
        backbone = backbone_of(config, len(bands))
    if config.alignment is not None:
        as_vit(backbone)
    load_into(backbone, init, bands=bands if config.alignment is None else None, sensors=(sensor,))
    return backbone


def _load_further(init: str, bands: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, LoadedBackbone]]:
    """Weights of each sensor with these bands, of a run on several."""
    for sensor in sensors_of(init):
        loaded = load_backbone(init, sensors=(sensor,)) if sensor in bands else None
        if loaded is not None and loaded.spec is not None and loaded.spec.bands == tuple(bands[sensor]):
            yield sensor, loaded


def _kept(specs: Sequence[InputSpec | None], config: TrainConfig, bands: Mapping[str, Sequence[str]]) -> Iterator[InputSpec]:
    """Those of some scalings that fit sensors, unless the configuration asks for another one; views are the configuration's."""
    crop = config.views[0].crop
    for spec in specs if config.scaling == "measured" else ():
        if spec is not None and spec.bands == tuple(bands.get(spec.sensor, ())):
            yield replace(spec, size_px=crop.size_px, interpolation=crop.interpolation)


def _embeddings(
    backbone: nn.Module, further: Mapping[str, LoadedBackbone], encoded: str, bands: Mapping[str, Sequence[str]]
) -> dict[str, nn.Module]:
    """Of each further sensor its own patch embedding, else, where its bands are the same, that of the first one."""
    found = {}
    names = common_names(encoded, bands[encoded])
    for sensor in bands:
        source: Any = further[sensor].module if sensor in further else backbone
        if sensor in further or (sensor != encoded and common_names(sensor, bands[sensor]) == names):
            found[sensor] = source.patch_embed
    return found


def _describe(init: str, sensor: str, bands: Sequence[str], copied: str | None) -> str:
    """What to say of a patch embedding that is a copy of another sensor's, or drawn."""
    if copied is not None:
        return f"The patch embedding of {sensor} begins as a copy of that of {copied}: {init} has none of its own."
    return f"The patch embedding of {sensor} begins as it is drawn: {init} has none of its bands {', '.join(bands)}."


def _check_sensor(init: str, spec: InputSpec, aligned: Alignment, sensors: tuple[str, ...]) -> None:
    """Refuse weights of another sensor than the one that they are to encode; those of pictures may encode any."""
    encoded = aligned.first_encoded(sensors)
    if spec.sensor in (encoded, DINO_INPUT.sensor):
        return
    if aligned.adapt_sensor is not None:
        raise CheckpointError(
            f"{init} has weights of {spec.sensor}, and a frozen copy of them is to encode {encoded}. Give weights of "
            f"{encoded}, or adapt to it beside {spec.sensor}: --adapt-sensor {encoded}."
        )
    if spec.sensor in sensors:
        others = [each for each in sensors if each != spec.sensor]
        raise CheckpointError(
            f"{init} has weights of {spec.sensor}, and the first sensor is {encoded}. Name that of the weights first: "
            f"--sensors {','.join([spec.sensor, *others])}."
        )


def _check_bands(init: str, spec: InputSpec, encoded: str, bands: Sequence[str]) -> None:
    """Refuse weights of other bands; what to pass are names that bands of several sensors go by."""
    theirs = common_names(spec.sensor if spec.sensor in SENSORS else encoded, spec.bands)
    ours = common_names(encoded, bands)
    if theirs != ours:
        raise CheckpointError(
            f"{init} was trained with {len(theirs)} bands ({', '.join(theirs)}); asked for are {len(ours)} "
            f"({', '.join(ours)}). Pass --bands {','.join(theirs)}, in this order; every sensor must have them."
        )
