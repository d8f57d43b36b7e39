"""Items as the STAC API of the Copernicus Data Space gives them: STAC 1.1, a copy of each band per pixel size, two addresses.

The fields are those of real items of 2026 (such as S2A_MSIL2A_20260628T115421_N0512_R023_T29UNU_20260628T194416); place, time
and files are made up.
"""

from typing import Any

from tests.end_to_end.provider_scenes import SIDE_M, footprint, place_at

PLACE = (-8.2, 52.7)
"""Of the made-up tile, lon/lat."""
EPSG = 32629
STORE = "s3://eodata/Sentinel-2/MSI"
DOWNLOADS = "https://download.dataspace.copernicus.eu"
COMMON = {
    "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge071", "B06": "rededge075",
    "B07": "rededge078", "B08": "nir", "B8A": "nir08", "B09": "nir09", "B10": "cirrus", "B11": "swir16", "B12": "swir22",
}  # fmt: skip
SIZES = {
    "L2A": {
        10: ("B02", "B03", "B04", "B08"),
        20: ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12"),
        60: ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B09", "B11", "B12"),
    },
    "L1C": {10: ("B02", "B03", "B04", "B08"), 20: ("B05", "B06", "B07", "B8A", "B11", "B12"), 60: ("B01", "B09", "B10")},
}
"""Bands by pixel size, by level."""


def cdse_item(level: str = "L2A", *, day: str = "20260628", downloads: str = DOWNLOADS) -> dict[str, Any]:
    """One item of a level, with its granule's files."""
    name = f"S2A_MSI{level}_{day}T115421_N0512_R023_T29UNU_{day}T194416"
    geometry, box = footprint(EPSG, *place_at(*PLACE)[1:])
    folder = f"{level}/{day[:4]}/{day[4:6]}/{day[6:]}/{name}.SAFE"
    wanted = [(band, gsd) for gsd, bands in SIZES[level].items() for band in (*bands, "TCI")]
    wanted += [(kind, gsd) for kind in ("SCL", "AOT") for gsd in (20, 60) if level == "L2A"]
    assets = dict(_asset(folder, level, *each, downloads) for each in wanted)
    uuid = "ce26496b-3c7e-489f-9978-3738921a6769"
    assets["Product"] = {
        "href": f"{downloads}/odata/v1/Products({uuid})/$value", "type": "application/zip",
        "roles": ["data", "metadata", "archive"], "title": "Zipped product", "auth:refs": ["oidc"],
    }  # fmt: skip
    assets["safe_manifest"] = {"href": f"{STORE}/{folder}/manifest.safe", "type": "application/xml", "roles": ["metadata"]}
    assets["thumbnail"] = {
        "href": "https://datahub.creodias.eu/odata/v1/Assets(1)/$value",
        "type": "image/jpeg",
        "roles": ["thumbnail"],
    }
    return {
        "type": "Feature", "stac_version": "1.1.0", "id": name, "collection": f"sentinel-2-{level.lower()}",
        "geometry": geometry, "bbox": box, "links": [], "assets": assets, "properties": _properties(name, level, day),
    }  # fmt: skip


def _properties(name: str, level: str, day: str) -> dict[str, Any]:
    moment = f"{day[:4]}-{day[4:6]}-{day[6:]}T11:54:21.024000Z"
    return {
        "gsd": 10, "datetime": moment, "start_datetime": moment, "end_datetime": moment, "created": f"{moment[:10]}T20:35:30Z",
        "_private": {"product_name": f"{name}.SAFE", "product_uuid": "ce26496b-3c7e-489f-9978-3738921a6769"},
        "platform": "sentinel-2a", "constellation": "sentinel-2", "instruments": ["msi"], "grid:code": "MGRS-29UNU",
        "auth:schemes": {"s3": {"type": "s3"}, "oidc": {"type": "openIdConnect"}},
        "storage:schemes": {"cdse-s3": {"type": "custom-s3", "platform": "https://eodata.dataspace.copernicus.eu"}},
        "product:type": "S2MSI1C" if level == "L1C" else "S2MSI2A", "processing:level": "L1" if level == "L1C" else "L2",
        "processing:version": "05.12", "processing:datetime": f"{moment[:10]}T19:44:16.000000Z",
        "eo:cloud_cover": 8.41, "eo:snow_cover": 0.0, "sat:orbit_state": "descending", "sat:relative_orbit": 23,
        "view:sun_azimuth": 162.088491472509, "view:sun_elevation": 59.5841113141925, "view:incidence_angle": 9.2,
        "eopf:datatake_id": f"GS2A_{day}T115421_057535_N05.12",
    }  # fmt: skip


def _asset(folder: str, level: str, band: str, gsd: int, downloads: str) -> tuple[str, dict[str, Any]]:
    sized = level == "L2A"
    granule = f"GRANULE/{level}_T29UNU_A057535_20260628T115416/IMG_DATA" + (f"/R{gsd}m" if sized else "")
    day = "".join(folder.split("/")[1:4])
    path = f"{granule}/T29UNU_{day}T115421_{band}{f'_{gsd}m' if sized else ''}.jp2"
    nodes = "".join(f"/Nodes({node})" for node in (folder.rpartition("/")[2], *path.split("/")))
    left, top = place_at(*PLACE)[1:]
    side = SIDE_M // gsd
    asset = {
        "href": f"{STORE}/{folder}/{path}", "type": "image/jp2", "title": f"{band} - {gsd}m", "gsd": gsd,
        "roles": ["visual" if band == "TCI" else "data"], "data_type": "uint8" if band in {"SCL", "TCI"} else "uint16",
        "proj:code": f"EPSG:{EPSG}", "proj:shape": [side, side], "proj:transform": [gsd, 0, left, 0, -gsd, top],
        "file:checksum": f"d501{'10' * 16}", "file:local_path": f"{folder.rpartition('/')[2]}/{path}",
        "auth:refs": ["s3"], "storage:refs": ["cdse-s3", "creodias-s3"], "alternate:name": "S3",
        "alternate": {
            "https": {
                "href": f"{downloads}/odata/v1/Products(ce26496b-3c7e-489f-9978-3738921a6769){nodes}/$value",
                "auth:refs": ["oidc"], "storage:refs": [], "alternate:name": "HTTPS",
            }
        },
    }  # fmt: skip
    if band in COMMON:
        asset |= {
            "nodata": 0, "raster:scale": 0.0001, "raster:offset": -0.1,
            "bands": [{"name": band, "eo:common_name": COMMON[band]}],
        }  # fmt: skip
    return (f"{band}_{gsd}m" if sized else band), asset
