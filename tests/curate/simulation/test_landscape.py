import numpy as np
import pytest

from catalogs.lattice import to_lonlat, to_utm
from curate.simulation.covers import COVER_NAMES, LAYOUTS, WATER
from curate.simulation.ground import METRES_PER_DEGREE, Cells, nodes_around
from curate.simulation.landscape import cover_of, landscape_of, slopes_of
from curate.simulation.parcels import lay_parcels
from curate.simulation.regions import REGION_M, _regions_near, regions_of
from curate.simulation.textures import POND, TONE, VIGOUR

PARIS = Cells(32631, 10.0, 447_000, 5_410_680, 264, 264)


def shared_ground(first: Cells, epsg: int) -> tuple[np.ndarray, np.ndarray]:
    """Cover of one zone's pixels, and what another zone sees nearest to their centres."""
    lon, lat = to_lonlat(*(part.ravel() for part in np.meshgrid(first.x, first.y)), first.epsg)
    x, y = to_utm(lon, lat, epsg)
    left, top = np.floor(x.min() / 10) * 10 - 10, np.ceil(y.max() / 10) * 10 + 10
    second = Cells(epsg, 10.0, left, top, int((top - y.min()) // 10) + 2, int((x.max() - left) // 10) + 2)
    seen = cover_of(second, 0)[((top - y) // 10).astype(int), ((x - left) // 10).astype(int)]
    return cover_of(first, 0).ravel(), seen


@pytest.mark.parametrize(
    ("cells", "epsg"),
    [
        (Cells(32631, 10.0, 718_000, 5_400_000, 150, 150), 32632),
        (Cells(32760, 10.0, 816_000, 8_100_040, 150, 150), 32701),
        (Cells(32633, 10.0, 640_000, 8_700_000, 150, 150), 32635),
    ],
)
def test_two_zones_see_the_same_ground_also_across_the_antimeridian(cells, epsg):
    here, there = shared_ground(cells, epsg)
    assert len(np.unique(here)) > 1
    assert np.mean(here == there) > 0.96


def test_both_hemispheres_see_the_same_ground_at_the_equator():
    north = cover_of(Cells(32636, 10.0, 500_000, 1000, 200, 200), 0)
    south = cover_of(Cells(32736, 10.0, 500_000, 10_001_000, 200, 200), 0)
    assert np.mean(north == south) > 0.999


def test_no_seam_runs_along_the_equator():
    cover = cover_of(Cells(32636, 10.0, 480_000, 2000, 400, 400), 0)
    changes = (cover[1:] != cover[:-1]).mean(axis=1)
    assert changes[199] < 6 * changes.mean() + 0.02


def test_a_landscape_is_the_same_in_any_window():
    part = Cells(32631, 10.0, 447_000 + 530, 5_410_680 - 1210, 70, 90)
    whole, cut = landscape_of(PARIS, 3), landscape_of(part, 3)
    rows, columns = slice(121, 191), slice(53, 143)
    assert np.array_equal(whole.surface[:, rows, columns], cut.surface)
    assert np.array_equal(whole.parcels.key[whole.parcel[rows, columns]], cut.parcels.key[cut.parcel])


def test_another_seed_is_another_world():
    assert np.mean(cover_of(PARIS, 0) == cover_of(PARIS, 1)) < 0.6


def test_shares_of_a_surface_are_shares():
    surface = landscape_of(PARIS, 0).surface
    assert surface[:TONE].min() >= 0
    assert surface[:TONE].sum(axis=0).max() <= 1 + 1e-5
    assert surface[TONE].min() > 0.2
    assert surface[TONE].max() <= 2
    assert np.abs(surface[VIGOUR]).max() <= 1


def test_rivers_are_water_whatever_they_cross():
    wet = 0
    for column in range(4):
        cells = Cells(32631, 30.0, 420_000 + 9000 * column, 5_400_000, 300, 300)
        landscape = landscape_of(cells, 0)
        cover, parcel_cover = cover_of(cells, 0), landscape.parcels.cover[landscape.parcel]
        river = (cover == WATER) & (parcel_cover != WATER)
        assert river.sum() == 0 or landscape.surface[POND][river].min() > 0.5
        wet += int(river.sum())
    assert wet > 100


def test_each_cell_belongs_to_the_nearest_region():
    cells = Cells(32631, 60.0, 447_000, 5_410_680, 160, 160)
    nodes = nodes_around(cells)
    bent = np.stack([nodes.lon, nodes.lat])
    regions, belongs = regions_of(cells, nodes, bent, 0)
    near = _regions_near(bent[0], bent[1], 0)
    lon, lat = nodes.at(cells, bent)
    best = np.argmin(
        ((lon[..., None] - near.lon) * near.east_m) ** 2 + ((lat[..., None] - near.lat) * METRES_PER_DEGREE) ** 2, axis=-1
    )
    assert np.array_equal(regions.key[belongs], near.key[best])
    assert 2 < len(regions.key) < 30
    assert (160 * 60) ** 2 / len(regions.key) > 0.2 * REGION_M**2


def test_cells_lie_within_their_parcels():
    nodes = nodes_around(PARIS)
    bent = np.stack([nodes.lon, nodes.lat])
    regions, belongs = regions_of(PARIS, nodes, bent, 0)
    lonlat = nodes.at(PARIS, bent).reshape(2, -1)
    parcels, places = lay_parcels(regions, belongs.ravel(), lonlat, np.zeros(lonlat.shape, np.float32))
    slack = 0.05
    assert min(places.a.min(), places.b.min()) > -slack
    assert (places.a - parcels.width[places.parcel]).max() < slack
    assert (places.b - parcels.depth[places.parcel]).max() < slack


def test_no_cover_dominates_the_world_and_none_is_rare():
    rng = np.random.default_rng(0)
    counts = np.zeros(len(COVER_NAMES))
    for left, top in zip(rng.uniform(3e5, 7e5, 400), rng.uniform(0, 8e6, 400), strict=True):
        epsg = int(rng.integers(32601, 32661))
        counts += np.bincount(cover_of(Cells(epsg, 60.0, left, top, 10, 10), 0).ravel(), minlength=len(counts))
    shares = counts / counts.sum()
    assert shares.max() < 0.25
    assert shares.min() > 0.03
    assert len(LAYOUTS) == len(COVER_NAMES)


def test_squares_have_a_dominant_cover():
    rng = np.random.default_rng(1)
    corners = list(zip(rng.integers(300, 690, 80) * 1000.0, rng.integers(5000, 5600, 80) * 1000.0, strict=True))
    for side, least in ((600, 0.68), (2640, 0.42)):
        shares = []
        for left, top in corners:
            cover = cover_of(Cells(32631, 20.0, left, top, side // 20, side // 20), 0)
            shares.append(np.bincount(cover.ravel()).max() / cover.size)
        assert np.median(shares) > least


def test_slopes_are_moderate_and_do_not_depend_on_the_zone():
    first = Cells(32631, 60.0, 718_020, 5_400_000, 40, 40)
    lon, lat = to_lonlat(first.x[20:21], first.y[20:21], 32631)
    x, y = to_utm(lon, lat, 32632)
    second = Cells(32632, 60.0, x[0] // 60 * 60 - 1200, y[0] // 60 * 60 + 1200, 40, 40)
    seen = []
    for cells, at in ((first, (first.x[20], first.y[20])), (second, (x[0], y[0]))):
        nodes = nodes_around(cells)
        point = Cells(cells.epsg, 1.0, at[0] - 0.5, at[1] + 0.5, 1, 1)
        seen.append(nodes.at(point, slopes_of(nodes, 0)).ravel())
    assert np.allclose(seen[0], seen[1], atol=0.004)
    assert np.abs(slopes_of(nodes_around(PARIS), 0)).max() < 0.6
