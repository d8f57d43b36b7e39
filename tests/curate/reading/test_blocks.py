"""Which blocks a window touches, and which ranges they are fetched in."""

import numpy as np
import pytest

from curate.reading.blocks import GAP_SHARE, GHOST_BYTES, JOIN_GAP, JOINED_BYTES, Cut, join_blocks
from tests.curate.reading.disk import cut_out, windows_of


@pytest.mark.parametrize("cut", [Cut(300, 340, 64, 128), Cut(300, 340, 7, 340), Cut(300, 340, 512, 512), Cut(300, 340, 13, 17)])
def test_the_parts_of_all_touched_blocks_make_up_the_window(cut):
    pixels = np.arange(300 * 340).reshape(300, 340)
    padded = np.full((600, 600), -1)
    padded[:300, :340] = pixels
    for window in windows_of():
        found = np.full((window[3], window[2]), -2)
        for number in cut.touched(window):
            row, column = cut.corner(number)
            part = cut.part(number, window)
            block = padded[row : row + cut.block_height, column : column + cut.block_width]
            assert (found[part.target] == -2).all()
            found[part.target] = block[part.rows, part.columns]
        assert (found == cut_out(pixels, window)).all()


def test_no_block_is_touched_in_vain():
    cut = Cut(300, 340, 64, 128)
    for window in windows_of():
        plain = [
            number
            for number in range(cut.count)
            if cut_out(np.ones((320, 384)), cut.extent(number)).size
            and max(window[0], cut.extent(number)[0]) < min(window[0] + window[2], sum(cut.extent(number)[::2]))
            and max(window[1], cut.extent(number)[1]) < min(window[1] + window[3], sum(cut.extent(number)[1::2]))
        ]
        assert cut.touched(window) == plain


def test_extents_are_cut_off_at_the_rasters_edges():
    cut = Cut(300, 340, 64, 128)
    assert (cut.count, cut.across) == (15, 3)
    assert cut.extent(0) == (0, 0, 128, 64)
    assert cut.extent(14) == (256, 256, 84, 44)


def joined(places):
    return [[name for _, _, name in group] for group in join_blocks(places)]


def test_blocks_side_by_side_are_joined_in_the_order_of_the_file():
    assert joined([(200, 100, "c"), (0, 100, "a"), (100, 100, "b")]) == [["a", "b", "c"]]


def test_the_few_bytes_between_the_blocks_of_a_cog_do_not_count():
    assert joined([(0, 20, "a"), (20 + GHOST_BYTES, 20, "b"), (2000, 20, "c")]) == [["a", "b"], ["c"]]


def test_a_gap_is_bridged_where_it_is_a_hundredth_of_the_range():
    block = 1 << 20
    gap = int(GAP_SHARE * 2 * block)
    assert gap < JOIN_GAP
    assert joined([(0, block, "a"), (block + gap, block, "b")]) == [["a", "b"]]
    assert joined([(0, block, "a"), (block + gap + 300, block, "b")]) == [["a"], ["b"]]


def test_gaps_add_up():
    block, gap = 100_000, 1900
    places = [(number * (block + gap), block, number) for number in range(30)]
    groups = joined(places)
    assert all(len(group) <= 2 for group in groups)
    assert len(joined([(offset, size + gap, name) for offset, size, name in places])) == 1


def test_ranges_stay_short():
    block = JOINED_BYTES // 3
    assert joined([(number * block, block, number) for number in range(7)]) == [[0, 1, 2], [3, 4, 5], [6]]
    assert joined([(0, 3 * JOINED_BYTES, "long"), (3 * JOINED_BYTES, 5, "next")]) == [["long"], ["next"]]


def test_blocks_that_share_bytes_are_fetched_one_by_one():
    assert joined([(0, 100, "a"), (0, 100, "b"), (50, 100, "c")]) == [["a"], ["b"], ["c"]]


def test_what_is_not_needed_is_at_most_a_hundredth_of_any_set_of_blocks():
    rng = np.random.default_rng(0)
    for _ in range(200):
        sizes = rng.integers(1, 400_000, 60)
        gaps = rng.choice([0, GHOST_BYTES, 3000, 20_000, 100_000], 60)
        starts = np.cumsum(sizes + gaps) - sizes
        needed = sorted(rng.choice(60, rng.integers(1, 60), replace=False))
        groups = list(join_blocks((int(starts[n]), int(sizes[n]), n) for n in needed))
        assert sorted(name for group in groups for _, _, name in group) == needed
        asked = sum(group[-1][0] + group[-1][1] - group[0][0] for group in groups)
        ghosts = GHOST_BYTES * (len(needed) - len(groups))
        assert asked - ghosts <= (1 + 1.02 * GAP_SHARE) * sizes[needed].sum()


def test_no_blocks_make_no_ranges():
    assert list(join_blocks([])) == []
