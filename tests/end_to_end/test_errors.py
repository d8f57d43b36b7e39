"""What a user reads when something is wrong: the words, and the exit code."""

import errno
import json
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from catalogs.testing import make_catalog
from tests.end_to_end.commands import curate


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    out = tmp_path_factory.mktemp("sampled") / "cat"
    assert curate("sample", "--region", "france", "--count", 2, "--seed", 7, "--patch-m", 600, "--out", out, "--quiet") == 0
    return out


@pytest.fixture
def told(capsys):
    """Run a command; give its exit code and the words on standard error."""

    def run(*words):
        capsys.readouterr()
        code = curate(*words)
        return code, capsys.readouterr().err

    return run


@pytest.fixture
def page():
    """A web server that answers everything with an HTML page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = b"<html><body>Welcome</body></html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


DATES = ("--seasons", 1, "--start", "2023-06-01", "--end", "2023-07-01")


def test_an_unknown_region_gets_a_guess(told, tmp_path):
    code, words = told("sample", "--region", "frnace", "--count", 2, "--out", tmp_path / "cat")
    assert code == 2
    assert "'frnace'" in words or '"frnace"' in words
    assert "Did you mean" in words
    assert "france" in words.lower().replace("frnace", "")


def test_an_empty_region_says_so(told, tmp_path):
    empty = tmp_path / "empty.geojson"
    empty.write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    code, words = told("sample", "--region", empty, "--count", 2, "--out", tmp_path / "cat")
    assert code == 2
    assert "empty.geojson" in words


def test_a_patch_size_that_does_not_divide_names_the_nearest(told, tmp_path):
    code, words = told("sample", "--region", "france", "--count", 2, "--patch-m", 1000, "--out", tmp_path / "cat")
    assert code == 2
    assert "1000 m" in words
    assert "960 or 1020" in words


def test_an_unreachable_source_says_what_to_do_and_asks_to_run_again(told, sampled):
    code, words = told("build", sampled, "--source", "http://127.0.0.1:9/v1", *DATES)
    assert code == 4
    assert "http://127.0.0.1:9/v1" in words


def test_a_page_that_is_no_stac_says_what_it_got(told, sampled, page):
    code, words = told("build", sampled, "--source", page, *DATES)
    assert code == 2
    assert page in words
    assert "STAC" in words


def test_a_source_without_the_sensor_lists_what_it_has(told, sampled, tmp_path):
    make_catalog(tmp_path / "source")
    code, words = told("build", sampled, "--source", tmp_path / "source", "--sensor", "landsat-c2-l2", *DATES)
    assert code == 2
    assert "has no landsat-c2-l2" in words
    assert "sentinel-2-l2a" in words


def test_no_clear_scene_says_how_clear_the_best_was(told, tmp_path):
    out = tmp_path / "cat"
    assert curate("sample", "--region", "france", "--count", 3, "--seed", 7, "--patch-m", 600, "--out", out, "--quiet") == 0
    code, words = told(
        "build",
        out,
        "--source",
        "simulated",
        "--seasons",
        4,
        "--start",
        "2023-01-01",
        "--end",
        "2024-01-01",
        "--window-days",
        6,
        "--max-cloud",
        0,
    )
    assert code == 0
    assert "has at most 0 % cloud" in words
    assert "raise --max-cloud" in words
    assert "Searching again gives the same: --retry-failed helps once the archive or the source has changed." in words
    assert f"  curate sample --region france --count 3 --patch-m 600 --seed 7 --out {out}-2\n" in words


def test_where_everything_failed_the_same_command_may_have_another_source(told, tmp_path):
    out, elsewhere = tmp_path / "cat", make_catalog(tmp_path / "elsewhere", seasons=1)
    assert curate("sample", "--region", "france", "--count", 1, "--seed", 7, "--patch-m", 600, "--out", out, "--quiet") == 0
    code, words = told("build", out, "--source", elsewhere, *DATES)
    assert code == 2
    assert f"Looking through {elsewhere} for scenes.\n" in words
    assert "Wrote 0 items of 1 location. 0 of 1 location is complete.\n  1 x no-scene" in words
    assert words.splitlines()[-1] == "Next: curate sources"
    code, words = told("build", out)
    assert code == 2
    assert "Nothing is left to do: 0 of 1 location is complete." in words
    assert "There is no item yet, so the same command may have wider flags, or another --source: it then begins anew." in words
    code, words = told("build", out, "--source", "simulated")
    assert code == 0
    changes = f'source was "{elsewhere}", now "simulated"'
    assert f"Nothing is built in {out} yet, so it begins anew: {changes}.\nBuilding 1 location" in words
    assert "Wrote 1 item of 1 location. 1 of 1 location is complete." in words
    code, words = told("build", out)
    assert code == 0
    assert "Nothing is left to do: 1 of 1 location is complete." in words
    assert "0/0" not in words
    assert words.splitlines()[-1] == f"Next: curate verify {out}"
    code, words = told("build", out, "--source", elsewhere, "--dry-run")
    assert code == 2
    assert f'source was "simulated", now "{elsewhere}". A catalog keeps one recipe' in words


def test_an_existing_folder_that_is_not_ours_is_left_alone(told, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"meow")
    code, words = told("sample", "--region", "france", "--count", 2, "--out", tmp_path / "photos")
    assert code == 2
    assert "photos is not a catalog of seastars: it holds 'cat.jpg'" in words
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


def test_a_folder_without_locations_is_refused(told, tmp_path):
    (tmp_path / "cat").mkdir()
    code, words = told("build", tmp_path / "cat", "--source", "simulated")
    assert code == 2
    assert "it is no catalog that `curate sample` made. Run: curate sample" in words


def test_a_folder_that_is_not_there_is_told(told, tmp_path):
    code, words = told("build", tmp_path / "cat", "--source", "simulated")
    assert code == 2
    assert f"{tmp_path / 'cat'} does not exist: it is no catalog that `curate sample` made. Run: curate sample" in words


def test_a_recipe_that_disagrees_with_the_folders_names_both_sides(told, tmp_path):
    out = tmp_path / "cat"
    assert curate("sample", "--region", "france", "--count", 2, "--seed", 7, "--patch-m", 600, "--out", out, "--quiet") == 0
    assert curate("build", out, "--source", "simulated", *DATES, "--quiet") == 0
    code, words = told("build", out, "--source", "simulated", *DATES, "--max-cloud", 30)
    assert code == 2
    assert "max_cloud was 10.0, now 30.0" in words
    code, words = told("sample", "--region", "france", "--count", 2, "--seed", 8, "--patch-m", 600, "--out", out)
    assert code == 2
    assert "seed was 7, now 8" in words


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--seasons", "four"), "--seasons is 'four'; expected a count such as 4, or 'seco'"),
        (("--bands", "B02,B99"), "Unknown band 'B99' in --bands. Choose from: sentinel-2-l2a has B01"),
        (("--sensor", "sentinel-2"), "Unknown sensor 'sentinel-2'"),
        (("--start", "2024-01-01", "--end", "2023-01-01"), "--start 2024-01-01 is not before --end 2023-01-01"),
        (("--window-days", 400), "--window-days 400 exceeds a season of 91 days"),
        (("--source", "earth-serch"), "earth-search"),
        (("--bands", "b4"), "B12. Did you mean 'B04'?"),
        (("--bands", "red"), "B12. Did you mean 'B04'?"),
        (("--max-cloud", 110), "--max-cloud is 110; expected percent, from 0 to 100."),
        (("--max-scene-cloud", -1), "--max-scene-cloud is -1; expected percent, from 0 to 100."),
        (("--max-delta-days", -1), "--max-delta-days is -1; expected days between sensors, 0 or more."),
        (("--end", "2199-01-01"), "The period begins on 2198-01-01, after today ("),
        (
            ("--sensor", "landsat-c2-l2, naip"),
            "Source simulated has no naip.",
        ),
        (
            ("--sensor", "S2"),
            "spot-ortho, naip, aerial-ortho, cop-dem-glo-30. Did you mean 'sentinel-2-l2a'?",
        ),
        (
            ("--source", "cdse", "--sensor", "naip"),
            "Source cdse has no naip. It has: sentinel-2-l2a, sentinel-2-l1c. Choose one of",
        ),
    ],
)
def test_impossible_flags_are_refused_before_anything_is_written(told, tmp_path, flags, words):
    out = tmp_path / "cat"
    assert curate("sample", "--region", "france", "--count", 2, "--seed", 7, "--patch-m", 600, "--out", out, "--quiet") == 0
    before = sorted(path.name for path in out.iterdir())
    source = () if "--source" in flags else ("--source", "simulated")
    code, said = told("build", out, *source, *flags)
    assert code == 2
    assert words in said
    assert sorted(path.name for path in out.iterdir()) == before


def test_a_full_disk_says_that_nothing_is_lost(told, tmp_path, monkeypatch):
    out = tmp_path / "cat"
    assert curate("sample", "--region", "france", "--count", 3, "--seed", 7, "--patch-m", 600, "--out", out, "--quiet") == 0
    real, written = Path.write_bytes, []

    def fill(self, content):
        written.append(self.name)
        if self.name.endswith(".tif.part") and len(written) > 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, content)

    monkeypatch.setattr(Path, "write_bytes", fill)
    code, words = told("build", out, "--source", "simulated", *DATES, "--workers", 1)
    assert code == 2
    assert f"The disk that holds {out} is full" in words
    assert "run the same command again, and it continues" in words
    monkeypatch.undo()
    assert curate("build", out, "--quiet") == 0
    assert curate("verify", out, "--quiet") == 0


def test_a_source_that_fails_part_of_the_time_is_recorded_and_tried_again(told, tmp_path):
    """A web server that loses a tenth of the files: their seasons are recorded, exit code 4, and the next run mends them."""
    import shutil

    from tests.servers import serve_files

    make_catalog(tmp_path / "source", seasons=2)
    out = tmp_path / "cat"
    shutil.copytree(
        tmp_path / "source", out, ignore=shutil.ignore_patterns("sentinel-2-l2a", "catalog.json", "failures.parquet")
    )
    recipe = json.loads((out / "recipe.json").read_text())
    del recipe["build"]
    (out / "recipe.json").write_text(json.dumps(recipe))
    dates = ("--seasons", 2, "--start", "2023-01-01", "--end", "2023-07-01")
    lost = min((tmp_path / "source" / "sentinel-2-l2a").rglob("*_20m.tif"))
    lost.rename(tmp_path / "kept.tif")
    with serve_files(tmp_path / "source") as address:
        code, words = told("build", out, "--source", f"{address}/catalog.json", *dates)
        assert code == 4
        assert "could not be read: run the same command again" in words
        (tmp_path / "kept.tif").rename(lost)
        code, words = told("build", out)
        assert code == 0
        assert "3 of 3 locations are complete" in words
    partial(curate, "verify")(out, "--quiet")
