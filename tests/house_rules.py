"""The house's rules of imports and purity, read from syntax; nothing is run. `test_imports.py` applies them."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("catalogs", "curate", "train", "evaluate")

MAY_IMPORT = {
    "catalogs": (),
    "curate": ("catalogs",),
    "train": ("catalogs",),
    "evaluate": ("catalogs", "train.backbones", "train.checkpoint", "train.config", "train.views", "train.schedules"),
}
"""Of our own packages, beside itself."""

TRAINING = {"lightning", "timm", "torch", "torchvision"}
RASTER_AND_STAC = {
    "geopandas", "obstore", "odc", "osgeo", "pyproj", "pystac", "pystac_client", "rasterio", "rustac", "shapely",
    "stac_geoparquet",
}  # fmt: skip
PROVIDERS = {"ee", "planetary_computer", "pystac_client", "sentinelhub", "sentinelsat"}
ARGUMENTS = {"argparse", "click", "cyclopts", "typer"}

NEVER_IMPORTS = {
    "catalogs": TRAINING | PROVIDERS | ARGUMENTS,
    "curate": TRAINING,
    "train": RASTER_AND_STAC,
    "evaluate": RASTER_AND_STAC,
}
"""Of other people's, anywhere in a file."""

PURE = (
    "catalogs/bands.py", "catalogs/date_windows.py", "catalogs/from_stac.py", "catalogs/lattice.py", "catalogs/layout.py",
    "catalogs/masks.py", "catalogs/records.py", "catalogs/to_stac.py", "curate/choose.py", "curate/estimate.py",
    "curate/seasons.py", "curate/split.py",
)  # fmt: skip
"""Modules whose answers hang on their arguments alone."""

IMPURE_MODULES = {
    "io", "logging", "os", "pathlib", "random", "secrets", "shutil", "socket", "subprocess", "sys", "tempfile", "time",
    "urllib.request",
}  # fmt: skip
IMPURE_CALLS = {"breakpoint", "input", "open", "print"}
CLOCK = {"now", "today", "utcnow"}
SEEDED = {"BitGenerator", "Generator", "PCG64", "Philox", "SeedSequence"}
"""What of `numpy.random` holds no state that others share; `default_rng` does neither, once it is given a seed."""


def imports_of(path: str, text: str) -> Iterator[str]:
    """Dotted names that a file imports anywhere, in functions and for type checking too.

    Args:
        path: Of the file, from the root, with forward slashes.
        text: Its source.
    """
    folder = Path(path).parent.parts
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            here = folder[: len(folder) - node.level + 1] if node.level else ()
            base = ".".join((*here, *([node.module] if node.module else [])))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def broken_imports(path: str, text: str) -> list[str]:
    """What a file imports against the house plan."""
    package = path.partition("/")[0]
    broken = []
    for name in imports_of(path, text):
        top = name.split(".")[0]
        ours = top in PACKAGES and top != package and not any(_within(name, allowed) for allowed in MAY_IMPORT[package])
        within = path.startswith(f"{top}/cli/") or path == f"{top}/__main__.py"
        cli = top in PACKAGES and name.split(".")[1:2] == ["cli"] and not within
        if ours or cli or top in NEVER_IMPORTS[package]:
            broken.append(f"{path} imports {name}")
    return broken


def impurities(path: str, text: str) -> list[str]:
    """Where a file touches files, the clock, logging or global random state."""
    found = [f"{path} imports {name}" for name in imports_of(path, text) if any(_within(name, bad) for bad in IMPURE_MODULES)]
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return found + [f"{path}:{node.lineno} calls {reason}" for node in calls if (reason := _impure_call(node))]


def _impure_call(node: ast.Call) -> str | None:
    name = ast.unparse(node.func)
    last = name.rpartition(".")[2]
    if name in IMPURE_CALLS:
        return f"{name}()"
    if last in CLOCK and name != last:
        return f"{name}(), the clock"
    if last == "default_rng" and not node.args and not node.keywords:
        return f"{name}() without a seed"
    if ".random." in f".{name}" and last not in SEEDED | {"default_rng"} and name.split(".")[0] in ("np", "numpy", "random"):
        return f"{name}(), global random state"
    return None


def _within(name: str, module: str) -> bool:
    return f"{name}.".startswith(f"{module}.")
