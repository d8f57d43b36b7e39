"""A catalog as it stands is shareable: moved, zipped, behind a plain web server, it opens, verifies and reads."""

import os
import shutil
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from zipfile import ZipFile

import numpy as np
import pytest

from catalogs import files, open_catalog
from catalogs.errors import CatalogUnreachableError, NotACatalogError
from catalogs.testing import make_catalog, make_locations
from catalogs.validate import check_catalog
from tests.catalogs.damage import (
    SENSOR,
    SIGNED,
    alter_asset,
    asset_path,
    edit_json,
    edit_rows,
    index_of,
    item_path,
    messages,
    remove_asset,
    set_offset,
    set_property,
    square_path,
    truncate_asset,
)
from tests.servers import free_port, serve_files

SENSORS = (SENSOR, "landsat-c2-l2")


class Quiet(SimpleHTTPRequestHandler):
    """The server of `python -m http.server`: no range requests."""

    def log_message(self, *_):
        """Say nothing."""


class Guarded(Quiet):
    """One that keeps hidden files to itself."""

    def send_head(self):
        if "/." in self.path:
            return self.send_error(403)
        return super().send_head()


@contextmanager
def serve_plainly(folder, handler=Quiet):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module", params=[True, False], ids=["json", "parquet"])
def original(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "test"
    return make_catalog(folder, locations=make_locations(2), sensors=SENSORS, json_items=request.param)


def pixels_of(href):
    catalog = open_catalog(href)
    items = catalog.items(sensor=SENSOR, season=1)
    return [(item.location.id, catalog.read(item, ["B04", "B08"]), catalog.read_mask(item)) for item in items]


def assert_same(href, original):
    """The catalog at `href` is valid, and has the items and pixels of the original."""
    report = check_catalog(href)
    assert report.is_valid, messages(report)
    assert report.unfinished == ()
    assert report.checked["assets read"] == 2 * 2 * (4 + 2)
    for mine, theirs in zip(pixels_of(href), pixels_of(original), strict=True):
        assert mine[0] == theirs[0]
        np.testing.assert_array_equal(mine[1], theirs[1])
        np.testing.assert_array_equal(mine[2], theirs[2])


def test_a_moved_catalog_is_the_same(original, tmp_path):
    moved = tmp_path / "elsewhere" / "with a blank" / "renamed"
    shutil.copytree(original, moved)
    assert_same(moved, original)


def test_a_zipped_and_unzipped_catalog_is_the_same(original, tmp_path):
    shutil.make_archive(tmp_path / "packed", "zip", original)
    with ZipFile(tmp_path / "packed.zip") as packed:
        packed.extractall(tmp_path / "unpacked")
    assert_same(tmp_path / "unpacked", original)


@pytest.mark.parametrize("serve", [serve_plainly, serve_files], ids=["python", "nginx"])
def test_a_catalog_behind_a_plain_web_server_is_the_same(original, serve):
    with serve(original.parent) as address:
        assert_same(f"{address}/{original.name}", original)
        assert check_catalog(f"{address}/{original.name}/catalog.json").is_valid


def test_a_server_that_keeps_hidden_files_to_itself_is_no_hindrance(original):
    with serve_plainly(original, Guarded) as address:
        assert_same(address, original)


def remove_item(folder):
    item_path(folder).unlink()


def unlink_last(folder):
    edit_json(square_path(folder), lambda square: square["links"].pop())


def test_faults_are_found_through_a_web_server_too(catalog):
    faults = {
        remove_asset: "missing-asset",
        truncate_asset: "truncated-asset",
        alter_asset: "altered-asset",
        set_property("seastars:source_id", SIGNED): "secret",
        set_property("proj:code", "EPSG:32632"): "grid",
        set_offset: "offset",
        remove_item: "broken-link",
        unlink_last: "unlinked",
        lambda folder: index_of(folder).unlink(): "missing-file",
        lambda folder: edit_json(item_path(folder), lambda d: d["assets"]["10m"].update(href="/a.tif")): "unsafe-href",
    }
    with serve_plainly(catalog.parent) as address:
        for number, (fault, kind) in enumerate(faults.items()):
            copy = shutil.copytree(catalog, catalog.parent / str(number))
            fault(copy)
            report = check_catalog(f"{address}/{number}")
            assert set(report.counts) == {kind}, messages(report)


def test_nothing_outside_the_catalog_is_read(catalog, monkeypatch):
    edit_json(item_path(catalog), lambda item: item["assets"]["10m"].update(href="../../../../outside.tif"))
    edit_json(square_path(catalog), lambda square: square["links"].append({"rel": "item", "href": "../../../outside.json"}))
    edit_rows(catalog, lambda items: items[2]["assets"]["scl"].update(href="/etc/passwd"))
    asset_path(catalog).rename(catalog.parent / "outside.tif")
    opened = []
    read = files.read_bytes
    monkeypatch.setattr(files, "read_bytes", lambda href: opened.append(href) or read(href))
    assert check_catalog(catalog).counts["unsafe-href"] >= 2
    assert len(opened) > 20
    assert [href for href in opened if not os.path.realpath(href).startswith(f"{catalog}/")] == []


def test_a_server_that_does_not_answer_is_told_without_a_traceback():
    with pytest.raises(CatalogUnreachableError, match="its server does not answer"):
        check_catalog(f"http://127.0.0.1:{free_port()}/cat")


def test_a_server_without_a_catalog_is_told(tmp_path):
    with (
        serve_plainly(tmp_path) as address,
        pytest.raises(NotACatalogError, match=r"is no catalog: it holds neither catalog\.json"),
    ):
        check_catalog(address)
