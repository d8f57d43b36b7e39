"""What a sweep does, in which order."""

from curate.reading.headers import Headers
from curate.reading.pieces import OpenFile, OpenRead, Piece, cut_pieces, in_sweep_order
from tests.curate.reading.disk import ROOT, DiskTransport, wishes, write_raster

SMALL = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}


def opened(folder, name, windows, bands=(1,), **options):
    """A file of so many windows."""
    if not (folder / name).exists():
        write_raster(folder / name, **{**SMALL, **options})
    headers = Headers(DiskTransport(folder), fetchers=1).read_all([ROOT + name])
    return OpenFile.of(ROOT + name, headers[ROOT + name], [OpenRead(*wish) for wish in wishes(ROOT + name, windows, bands)])


def test_windows_know_how_many_blocks_they_wait_for_and_blocks_who_needs_them(tmp_path):
    file = opened(tmp_path, "a.tif", [(0, 0, 10, 10), (60, 60, 10, 10)])
    assert [read.missing for read in file.reads] == [1, 4]
    assert {block: len(users) for block, users in file.users.items()} == {(1, 0): 2, (1, 1): 1, (1, 6): 1, (1, 7): 1}


def test_bands_that_lie_together_share_blocks_and_those_apart_do_not(tmp_path):
    windows = [(0, 0, 10, 10)]
    together = opened(tmp_path, "together.tif", windows, (1, 3), count=3, interleave="pixel")
    assert list(together.users) == [(0, 0)]
    apart = opened(tmp_path, "apart.tif", windows, (1, 3), count=3, interleave="band")
    assert list(apart.users) == [(1, 0), (3, 0)]
    assert apart.place((3, 0)) == tuple(
        int(places[60]) for places in (apart.header.packing.offsets, apart.header.packing.sizes)
    )


def test_pieces_cover_the_needed_blocks_and_cost_their_bytes(tmp_path):
    file = opened(tmp_path, "a.tif", [(0, 0, 340, 300)])
    pieces = cut_pieces(file)
    assert sorted(block for piece in pieces for block in piece.blocks) == [(1, number) for number in range(30)]
    assert sum(piece.cost for piece in pieces) == sum(file.header.packing.sizes)
    assert len(pieces) == 1


def test_what_is_not_in_the_file_is_a_piece_by_itself(tmp_path):
    file = opened(tmp_path, "a.tif", [(0, 0, 340, 300)])
    file.header.packing.sizes[3] = 0
    file.header.packing.offsets[5] = 1 << 40
    lonely = [list(piece.blocks) for piece in cut_pieces(file) if len(piece.blocks) == 1]
    assert lonely[:2] == [[(1, 3)], [(1, 5)]]
    assert not file.has(0, 0)
    assert not file.has(1 << 40, 1)


def test_scenes_come_one_after_the_other_and_each_from_north_to_south(tmp_path):
    windows = [(10, row, 20, 20) for row in (280, 70, 0)]
    names = ("two/B03.tif", "one/B02.tif", "two/B02.tif")
    files = [opened(tmp_path, name, windows) for name in names]
    told = [(piece.file.name.removeprefix(ROOT), piece.blocks[0][1]) for piece in in_sweep_order(files)]
    two = [(name, block) for block in (0, 6, 24) for name in ("two/B03.tif", "two/B02.tif")]
    assert told == [*two, ("one/B02.tif", 0), ("one/B02.tif", 6), ("one/B02.tif", 24)]


def test_windows_that_touch_several_blocks_of_a_piece_are_named_for_each(tmp_path):
    file = opened(tmp_path, "a.tif", [(60, 60, 10, 10)])
    assert list(Piece(file, list(file.users)).reads()) == file.reads * 4


def test_a_signature_does_not_show(tmp_path):
    write_raster(tmp_path / "a.tif", **SMALL)
    header = Headers(DiskTransport(tmp_path), fetchers=1).read_all([ROOT + "a.tif"])[ROOT + "a.tif"]
    assert OpenFile(f"{ROOT}a.tif?sig=secret", header, []).name == f"{ROOT}a.tif"
