"""What a source cannot do is refused before it is asked, alone or beside others."""

import pytest

from catalogs.testing import make_locations
from curate.errors import ClusterError, CurateError
from curate.source_limits import check_processes, check_squares
from curate.sources import open_source


class Small:
    """Takes squares of 100 m."""

    name = "small"

    def check_squares(self, sensors, side_m):
        if "a" in sensors and side_m > 100:
            raise CurateError(f"{side_m} m is too large")


class Several:
    """Joins sources."""

    name = "several"

    def __init__(self, *sources):
        self.sources = sources


@pytest.mark.parametrize("source", [Small(), Several(object(), Small())])
def test_the_largest_square_is_held_against_each_source_that_limits_them(source):
    locations = make_locations(3)
    with pytest.raises(CurateError, match=rf"^{locations[0].side_m} m is too large$"):
        check_squares(source, ["a"], locations)
    check_squares(source, ["b"], locations)
    check_squares(source, ["a"], [])


@pytest.mark.parametrize("name", ["geoplateforme", "earth-search,geoplateforme"])
@pytest.mark.parametrize("scheduler", ["local", "local:2", "tcp://10.0.0.5:8786"])
def test_who_bans_by_address_is_read_by_one_process(name, scheduler):
    with pytest.raises(ClusterError, match=rf"--scheduler {scheduler} may be several processes, but geoplateforme is read by"):
        check_processes(open_source(name), scheduler)
    check_processes(open_source(name), "local:1")


def test_other_sources_are_read_by_any_number_of_processes():
    check_processes(open_source("earth-search"), "local:8")
