import pytest

from tests.benchmarks import ground_picture


@pytest.mark.slow
def test_the_picture_shows_tokens_that_agree_to_half_a_pixel_and_ways_that_do_not(tmp_path):
    found = ground_picture.draw_picture(tmp_path / "ground_boxes.png")
    assert (tmp_path / "ground_boxes.png").stat().st_size > 10_000
    halves = [ground_picture.GSD_M[fine] / 2 for _, fine in ground_picture.PAIRS]
    assert all(apart < half for apart, half in zip(found["as it is"], halves, strict=True))
    assert all(apart > half for apart, half in zip(found["rounded to pixels"], halves, strict=True))
    assert found["clipped at the box"][2] > halves[2]
