"""Running `curate` as its users do, in this process."""

import json
from pathlib import Path
from typing import Any

import pytest

from curate.cli import main


def curate(*words: object) -> int:
    """Run a command; give its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


def items_of(folder: Path, sensor: str) -> list[tuple[Path, dict[str, Any]]]:
    """The JSON items of a catalog with their paths, in order of time."""
    found = [(path, json.loads(path.read_text())) for path in (folder / sensor).rglob("*.json")]
    return sorted(((path, item) for path, item in found if item["type"] == "Feature"), key=lambda pair: pair[1]["id"])
