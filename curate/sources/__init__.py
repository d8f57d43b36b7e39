"""Where scenes come from: one file per provider, all answering to `curate.sources.protocol.Source`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curate.sources.protocol import Source

PROVIDERS: dict[str, str] = {
    "earth-search": "curate.sources.earth_search",
    "planetary-computer": "curate.sources.planetary_computer",
    "cdse": "curate.sources.cdse",
    "usgs": "curate.sources.usgs",
    "earth-engine": "curate.sources.earth_engine",
    "sentinelsat": "curate.sources.sentinelsat",
    "geoplateforme": "curate.sources.geoplateforme",
    "simulated": "curate.sources.simulated",
}
"""Module by name. Each has `ABOUT`, `open_source(detail, *, max_scene_cloud)` and `check()`, which asks one cheap question;
`check(detail)` where `ABOUT.detail` says that one may be given."""
DETAIL = ":"
"""Between a provider's name and what is to be said to it, such as a project or the address of a hub."""
MAPPING = ".toml"
"""Ends the path of a file that says what an archive of the user's own holds; see `curate.sources.archives.mapping`."""

CONTENTS = "#"
"""Between a mapping file's path and what tells its contents, in the name of a source."""
WEB = ("http://", "https://")

__all__ = ["PROVIDERS", "mapping_path", "open_source"]


def mapping_path(text: str) -> str | None:
    """The path of the mapping file that a user, or a recipe, names; none where that is another source.

    Examples:
        >>> mapping_path("Archive.TOML#1a2b3c"), mapping_path("https://example.org/a.toml"), mapping_path("earth-search")
        ('Archive.TOML', None, None)
    """
    path = text.partition(CONTENTS)[0]
    is_other = text.partition(DETAIL)[0] in PROVIDERS or text.lower().startswith(WEB)
    return path if path.lower().endswith(MAPPING) and not is_other else None


def open_source(text: str, *, max_scene_cloud: float = 100) -> Source:
    """The source that a user names.

    Args:
        text: A provider's name, perhaps with a detail (`earth-engine:my-project`), the http(s) address of a STAC API or of a
            static STAC catalog, or the path of a catalog or of a mapping file (`*.toml`); several of these with commas between
            them, the preferred one first.
        max_scene_cloud: Percent of a whole scene above which it is not offered.

    Raises:
        CurateError: The text is no name, no address and no path that exists.
        NotACatalogError: There is no STAC at the address or path.
        SourceUnavailableError: The address does not answer.
    """
    if "," in text:
        from curate.sources.failover import names_in, open_several

        names = names_in(text)
        if len(names) > 1:
            return open_several(names, open_source, max_scene_cloud=max_scene_cloud)
    name, _, detail = text.partition(DETAIL)
    if name in PROVIDERS:
        opened: Source = import_module(PROVIDERS[name]).open_source(detail, max_scene_cloud=max_scene_cloud)
        return opened
    if text.lower().startswith(WEB):
        return _open_address(text, max_scene_cloud)
    if mapping_path(text):
        from curate.sources.archives.mapped_source import open_mapping

        return open_mapping(text, max_scene_cloud=max_scene_cloud)
    if text.strip() and Path(text).expanduser().exists():
        return _open_path(text, max_scene_cloud)
    from curate.sources.unknown import unknown_source

    raise unknown_source(text)


def _open_path(path: str, max_scene_cloud: float) -> Source:
    from curate.sources.safe.folder import SafeFolderSource, holds_products
    from curate.sources.static_catalog import StaticCatalogSource

    if holds_products(Path(path).expanduser()):
        return SafeFolderSource(path, max_scene_cloud=max_scene_cloud)
    return _with_mosaics(StaticCatalogSource(path, max_scene_cloud=max_scene_cloud))


def _open_address(address: str, max_scene_cloud: float) -> Source:
    from curate.sources.documents import check_whole, read_root

    _, root = read_root(address)
    check_whole(root, address)
    if "conformsTo" in root or any(link.get("rel") == "search" for link in root.get("links", [])):
        from curate.sources.archives.mosaics import MosaicSource
        from curate.sources.stac_api import StacApiSource

        return MosaicSource(StacApiSource(address, max_scene_cloud=max_scene_cloud))  # which sensors it has is asked later
    from curate.sources.static_catalog import StaticCatalogSource

    return _with_mosaics(StaticCatalogSource(address, max_scene_cloud=max_scene_cloud))


def _with_mosaics(catalog: Source) -> Source:
    """A static catalog whose orthophotos are mosaics of their files."""
    from curate.sources.archives.mosaics import with_mosaics

    return with_mosaics(catalog, catalog.sensors())
