"""Where weights come from: what an export says of the training behind it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from train.errors import ConfigError

_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]$")
_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a training was, for whoever uses its weights."""

    name: str
    """Of the weights, such as `seco-resnet50-france`: the id of their STAC item and the title of their card."""
    method: str
    """Its id, such as `seco`; of `train.methods.METHODS`."""
    recipe: str
    """Name of the recipe."""
    catalog_id: str
    """Id of the catalog trained on."""
    index_hash: str
    """SHA-256 of the index of the sensor's collection, as trained on."""
    locations: int
    """Locations trained on."""
    steps: int
    """Optimizer steps."""
    epochs: float
    """Times that every location was seen."""
    catalog_href: str | None = None
    """Path of the catalog's folder, or its address; none where it is not to be told."""
    bbox: tuple[float, float, float, float] | None = None
    """West, south, east, north of the items trained on, degrees; west > east across 180 degrees."""
    interval: tuple[str, str] | None = None
    """First and last instant of the items trained on, RFC 3339 in UTC."""
    license: str = "other"
    """SPDX identifier of the weights' licence, or `other`."""
    attribution: tuple[str, ...] = ()
    """Sentences that the licences of the data ask for."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What was measured on the way, by name, such as the last loss."""
    initial: str | None = None
    """What training started from, with its hash; none for random weights."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The whole configuration, as JSON."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the packages that matter, by name."""
    git_commit: str | None = None
    """Of seastars' working tree, `-dirty` where it was changed."""
    created: str | None = None
    """When, RFC 3339 in UTC; none keeps the export free of the clock."""
    part: str = "student"
    """Which network of the method the weights are of: `student`, or the `teacher` that follows it."""

    def __post_init__(self) -> None:
        """Check what a STAC item could not hold.

        Raises:
            ConfigError: The name has other characters than an id may have, or the box is not one.
        """
        if not _NAME.match(self.name):
            raise ConfigError(
                f"{self.name!r} cannot be the name of weights. Expected two or more letters, digits, '_', '.' and '-', "
                "beginning with a letter and ending with a letter or digit."
            )
        if self.bbox is not None and not -90 <= self.bbox[1] <= self.bbox[3] <= 90:
            raise ConfigError(f"Box {self.bbox} is none: expected west, south, east, north in degrees.")


def git_commit(folder: Path | None = None) -> str | None:
    """The commit of the working tree that code runs from.

    Args:
        folder: Of the code; this package's where absent.

    Returns:
        40 hexadecimal digits, with `-dirty` where files differ from it; none where git or the repository is missing, as in an
        installed package, even if that lies within somebody else's repository.
    """
    folder = Path(__file__).parent if folder is None else folder
    if not _git(folder, "ls-files", "--", "."):
        return None
    return _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  # no argument comes from outside
            ["git", "-C", str(folder), *arguments],  # noqa: S607  # whichever git the machine has
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
