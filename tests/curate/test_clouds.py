"""Clouds judged from pixels: made-up ground, the provider's own classification of 118 real dates, and pictures looked at."""

import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import rasterio

from catalogs.bands import SENSORS
from catalogs.foreign import SourceBand, SourceScene
from catalogs.masks import mask_shares
from catalogs.records import Grid
from catalogs.writer import Patch
from curate import clouds
from curate.choose import Candidate
from curate.clouds import Judgement, check_judge, judge_clouds, judged_by
from curate.decide import Limits
from curate.errors import CurateError
from tests.curate.test_decide import PLACE, WINDOW, Sky, decide

L2A, L1C = SENSORS["sentinel-2-l2a"], SENSORS["sentinel-2-l1c"]
VEGETATION = {"B02": 0.03, "B03": 0.06, "B04": 0.04, "B08": 0.35, "B8A": 0.36, "B11": 0.18}
CLOUD = {"B02": 0.6, "B03": 0.58, "B04": 0.6, "B08": 0.65, "B8A": 0.66, "B11": 0.4}
SNOW = {"B02": 0.85, "B03": 0.85, "B04": 0.83, "B08": 0.75, "B8A": 0.72, "B11": 0.06}
TURQUOISE_WATER = {"B02": 0.14, "B03": 0.16, "B04": 0.1, "B08": 0.04, "B8A": 0.03, "B11": 0.02}
DRY_SOIL = {"B02": 0.12, "B03": 0.18, "B04": 0.25, "B08": 0.32, "B8A": 0.34, "B11": 0.4}
BOADELLA = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
EUROSAT = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A"]


def patches_of(sensor, planes, *, offset=0.0, mask=None):
    """Reflectance by band, (height, width), as patches of their own pixel sizes; 0 where it is nan."""
    patches = []
    for shape in sorted({plane.shape for plane in planes.values()}, reverse=True):
        names = [band.name for band in sensor.bands if band.name in planes and planes[band.name].shape == shape]
        bands = tuple(replace(sensor.band(name), scale=1e-4, offset=offset) for name in names)
        stack = np.stack([planes[name] for name in names])
        numbers = np.nan_to_num(np.round((stack - offset) * 10_000)).astype("uint16")
        patches.append(Patch(f"{len(patches)}", numbers, bands, Grid(32631, (10, 0, 0, 0, -10, 0), *shape)))
    return [*patches, *([mask] if mask else [])]


def flat(ground, sides, *, names=None):
    return {name: np.full((sides[name], sides[name]), ground[name]) for name in names or ground}


SIDES = {"B02": 60, "B03": 60, "B04": 60, "B08": 60, "B8A": 30, "B11": 30}


@pytest.mark.parametrize(("ground", "share"), [(VEGETATION, 0), (CLOUD, 100), (SNOW, 0), (TURQUOISE_WATER, 0), (DRY_SOIL, 0)])
def test_a_uniform_square_is_cloud_or_not(ground, share):
    assert judge_clouds(L2A, patches_of(L2A, flat(ground, SIDES))) == Judgement(share, "brightness")


@pytest.mark.parametrize("offset", [0.0, -0.1])
def test_a_share_is_counted_on_the_coarsest_of_the_bands_used(offset):
    planes = flat(VEGETATION, SIDES)
    for name, plane in planes.items():
        plane[: SIDES[name] // 3] = CLOUD[name]
    assert judge_clouds(L2A, patches_of(L2A, planes, offset=offset)) == Judgement(33.3333, "brightness")


def test_a_pixel_that_lacks_a_measurement_is_not_clear():
    planes = flat(VEGETATION, SIDES)
    planes["B04"][0, 0] = np.nan
    assert judge_clouds(L2A, patches_of(L2A, planes)).not_clear_percent == pytest.approx(100 / 900, abs=1e-4)


def test_without_infrared_snow_and_bright_water_pass_for_cloud():
    visible = ["B02", "B03", "B04"]
    for ground, share in ((SNOW, 100), (TURQUOISE_WATER, 100), (VEGETATION, 0)):
        assert judge_clouds(L2A, patches_of(L2A, flat(ground, SIDES, names=visible))).not_clear_percent == share


def test_the_air_above_counts_at_its_top():
    hazy = dict(VEGETATION, B02=0.095, B03=0.085, B04=0.055)
    assert [judge_clouds(s, patches_of(s, flat(hazy, SIDES))).not_clear_percent for s in (L2A, L1C)] == [100, 0]


@pytest.mark.parametrize("sensor", ["sentinel-1-rtc", "naip", "spot-ortho", "eurosat-rgb"])
def test_what_is_no_reflectance_is_not_judged(sensor):
    bands = SENSORS[sensor].bands
    pixels = np.full((len(bands), 6, 6), 200, SENSORS[sensor].data_type)
    assert judge_clouds(SENSORS[sensor], [Patch("10m", pixels, bands, PLACE.grid(100))]) is None


def test_without_the_visible_bands_nobody_judges():
    assert judge_clouds(L2A, patches_of(L2A, flat(CLOUD, SIDES, names=["B03", "B04", "B08"]))) is None
    assert judge_clouds(L2A, []) is None


def test_brightness_agrees_with_the_classification_of_118_real_dates(shared_data):
    ours, theirs = [], []
    for folder in sorted((shared_data / "archive" / "sentinel-2-l2a").glob("S2_T31UDS*")):
        planes = {name: read(folder / f"{name}.tif")[0] * 1e-4 for name in ("B02", "B03", "B04", "B8A", "B11")}
        ours.append(judge_clouds(L2A, patches_of(L2A, planes)).not_clear_percent)
        theirs.append(mask_shares(read(folder / "SCL.tif")[0], "scl").not_clear)
    ours, theirs = np.array(ours), np.array(theirs)
    same = {limit: 100 * np.mean((ours <= limit) == (theirs <= limit)) for limit in (10, 50)}
    assert len(ours) == 118
    assert same[10] == pytest.approx(88.1, abs=0.05)
    assert same[50] == pytest.approx(92.4, abs=0.05)
    assert np.mean(abs(ours - theirs)) == pytest.approx(10.6, abs=0.05)
    assert np.sum((ours > 10) & (theirs <= 10)) == 5  # of 53: what it would cost
    assert np.sum((ours <= 10) & (theirs > 10)) == 9  # of 65: cirrus and shadow, for the most part


def test_brightness_agrees_with_the_quality_bits_of_landsat(shared_data):
    landsat = SENSORS["landsat-c2-l2"]
    ours, theirs = [], []
    for folder in sorted((shared_data / "archive" / "landsat-c2-l2").glob("LC08*")):
        planes = {name: read(folder / f"{name}.tif")[0] * 1e-4 for name in ("B02", "B03", "B04", "B05", "B06")}
        ours.append(judge_clouds(landsat, patches_of(landsat, planes)).not_clear_percent)
        theirs.append(mask_shares(read(folder / "qa_pixel.tif")[0], "qa_pixel").not_clear)
    ours, theirs = np.array(ours), np.array(theirs)
    assert len(ours) == 26
    for limit, agreement in ((10, 84.6), (50, 92.3)):
        assert 100 * np.mean((ours <= limit) == (theirs <= limit)) == pytest.approx(agreement, abs=0.05)


SEEN = {
    "2020-01-13": (5, 30, "haze over all of it, thick in the west"), "2020-01-18": (99, 100, "overcast"),
    "2020-01-23": (50, 70, "broken cloud over shade"), "2020-01-28": (0, 1, "clear, muddy water, shade in the hills"),
    "2020-02-02": (0, 1, "clear, muddy water"), "2020-06-21": (0, 1, "clear"), "2020-09-14": (0, 5, "clear, water of DN 0"),
    "2021-06-26": (2, 6, "thin cloud in the south-west; the bright lake is none"), "2021-07-16": (0, 1, "clear"),
    "2021-07-21": (0, 1, "clear"), "2022-03-08": (0, 2, "clear, bright banks"), "2022-06-01": (0, 1, "clear"),
}  # fmt: skip
"""What a person saw in pictures of the twelve dates of the Boadella reservoir, and the percent that go with it."""


def test_twelve_dates_without_a_mask_are_judged_as_a_person_does(shared_data):
    for date, (least, most, words) in SEEN.items():
        pixels = read(shared_data / "s2_boadella" / f"Boadella_{date}.tif")[:, :360, :360] * 1e-4
        found = judge_clouds(L2A, patches_of(L2A, dict(zip(BOADELLA, pixels, strict=True))))
        assert least <= found.not_clear_percent <= most, f"{date}: {words}"
        assert found.method == "brightness"


def test_s2cloudless_finds_real_ground_clear_and_a_made_up_cloud_over_it(shared_data):
    shares = []
    for path in sorted((shared_data / "eurosat_ms").rglob("*.tif"))[::10]:
        planes = nested(read(path)[:, :60, :60] * 1e-4)
        shares.append(judge_clouds(L1C, patches_of(L1C, planes)).not_clear_percent)
    assert max(shares) == 0
    for name, plane in planes.items():
        plane[:] = {"B09": 0.3, "B10": 0.06, "B11": 0.4, "B12": 0.3}.get(name, 0.6)
    assert judge_clouds(L1C, patches_of(L1C, planes)) == Judgement(100, "s2cloudless")


def test_s2cloudless_sees_reflectance_whatever_the_offset(shared_data, monkeypatch):
    seen = []
    monkeypatch.setattr(clouds, "_by_s2cloudless", lambda pixels: seen.append(pixels) or np.zeros(pixels.shape[:2], bool))
    planes = nested(read(next((shared_data / "eurosat_ms").rglob("*.tif")))[:, :60, :60] * 1e-4)
    for offset in (0.0, -0.1):
        judge_clouds(L1C, patches_of(L1C, planes, offset=offset))
    assert seen[0].shape == (10, 10, 10)
    assert np.allclose(seen[0], seen[1], atol=1e-4)
    blue = planes["B02"].reshape(10, 6, 10, 6).mean((1, 3))
    assert np.allclose(seen[0][..., clouds.S2CLOUDLESS_BANDS.index("B02")], blue, atol=1e-4)


def test_what_judges_is_told_beforehand_and_how_to_install_it(monkeypatch):
    names = [band.name for band in L1C.bands]
    assert judged_by(L1C, names) == "s2cloudless"
    assert judged_by(L1C, ["B02", "B03", "B04"]) == "brightness"
    assert judged_by(SENSORS["sentinel-1-rtc"], ["vv"]) is None
    check_judge(L1C, names)
    monkeypatch.setattr(clouds, "find_spec", lambda _: None)
    check_judge(L2A, [band.name for band in L2A.bands])
    check_judge(L1C, ["B02", "B03", "B04"])
    with pytest.raises(CurateError, match=r"sentinel-2-l1c has no cloud mask.*pip install 'seastars\[clouds\]'.*leave B10 out"):
        check_judge(L1C, names)


def test_a_worker_without_s2cloudless_says_so(monkeypatch):
    clouds._detector.cache_clear()
    monkeypatch.setitem(sys.modules, "s2cloudless.cloud_detector", None)
    with pytest.raises(CurateError, match=r"not installed where this runs.*pip install 'seastars\[clouds\]'"):
        clouds._detector()


class Unmasked(Sky):
    """Scenes without a mask: cloudy by their pixels, or clear."""

    def __init__(self, cloudy):
        super().__init__(0, (L2A.id,), faults=0, gaps=0)
        scenes = [self._unmasked(number) for number in range(len(cloudy))]
        self.candidates = {L2A.id: [Candidate(scene, covers=True) for scene in scenes]}
        self.grounds = dict(zip([scene.id for scene in scenes], cloudy, strict=True))

    def _unmasked(self, number):
        bands = {name: SourceBand(f"{number}/{name}") for name in VEGETATION}
        return SourceScene(f"scene-{number}", L2A.id, {}, bands, datetime=WINDOW.start, cloud_percent=number)

    def bands(self, scene):
        return self._see(scene, "bands", patches_of(L2A, flat(CLOUD if self.grounds[scene.id] else VEGETATION, SIDES)))


def test_a_scene_without_a_mask_is_kept_only_if_its_pixels_are_clear():
    sky = Unmasked([True, True, False, False])
    (look,) = decide(sky, Limits(10.0, None))
    assert (look.scene.id, look.judgement) == ("scene-2", Judgement(0, "brightness"))
    assert [id_ for id_, _ in sky.seen] == ["scene-0", "scene-1", "scene-2"]


def test_where_all_are_cloudy_by_their_pixels_the_failure_says_how_much():
    failure = decide(Unmasked([True, True]), Limits(10.0, None))
    assert failure.reason == "not-clear"
    assert "the clearest of 2 candidates has 100.0 %" in failure.message


def read(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the made-up grounds of data sets
        with rasterio.open(path) as raster:
            return raster.read()


def nested(pixels):
    """Bands of one pixel size brought to their own."""
    planes = {}
    for name, plane in zip(EUROSAT, pixels, strict=True):
        factor = int(L1C.band(name).gsd // 10)
        planes[name] = plane.reshape(60 // factor, factor, 60 // factor, factor).mean((1, 3))
    return planes
