"""Planes of several sources in one build, each read by its own reader."""

import pytest

from catalogs.foreign import SourceBand
from catalogs.records import Location
from curate.errors import CurateError, SourceUnavailableError
from curate.fetch import PlaneAsk
from curate.planes import HasPlanes, SinglePlanes, open_planes
from curate.reading.counts import Counts
from curate.several_planes import HoldsBands, SeveralPlanes
from curate.sources import PROVIDERS, open_source
from curate.sources.failover import FailoverSource
from curate.sources.geoplateforme import GeoplateformeSource
from curate.sources.sentinelsat import open_source as open_hub
from curate.tasks import GivenFiles

PLACE = Location("a", 32631, (499_980, 5_400_000, 500_040, 5_400_060))


class Reader:
    """Gives the href of what it is asked, with its name."""

    def __init__(self, name, fetched=None):
        self.name, self.fetched, self.done = name, fetched, []

    def read(self, asks):
        yield from ((key, f"{self.name} {ask.band.href}") for key, ask in asks)

    def stop(self):
        self.done.append("stop")

    def close(self):
        self.done.append("close")


def ask(href):
    return PlaneAsk(SourceBand(href), PLACE, 10, 10, "cubic", 0)


def starts(text):
    return lambda band: band.href.startswith(text)


def test_each_band_is_read_by_the_first_reader_that_holds_it():
    several = SeveralPlanes([(starts("b"), Reader("one")), (starts("a"), Reader("two")), (starts(""), Reader("rest"))])
    asks = [(number, ask(href)) for number, href in enumerate(("a1", "b1", "c1", "a2"))]
    assert dict(several.read(asks)) == {0: "two a1", 1: "one b1", 2: "rest c1", 3: "two a2"}


def test_a_band_that_nobody_holds_is_told():
    ((key, error),) = SeveralPlanes([(starts("b"), Reader("one"))]).read([(7, ask("a1"))])
    assert key == 7
    assert isinstance(error, SourceUnavailableError)
    assert str(error) == "a1 is of none of the sources that were named. Search again."


def test_counts_are_those_of_all_that_count():
    one, two, silent = (
        Reader("one", Counts(1, 2, 3, 4, 5, 6.0)),
        Reader("two", Counts(10, 20, 30, 40, 50, 60.0)),
        Reader("silent"),
    )
    several = SeveralPlanes([(starts("a"), one), (starts("b"), two), (starts("c"), silent)])
    assert several.fetched == Counts(11, 22, 33, 44, 55, 66.0)
    assert SeveralPlanes([(starts("c"), silent)]).fetched is None


def test_all_are_stopped_and_closed():
    readers = [Reader("one"), Reader("two")]
    several = SeveralPlanes([(starts(""), reader) for reader in readers])
    several.stop()
    several.close()
    assert [reader.done for reader in readers] == [["stop", "close"]] * 2


def test_several_sources_have_planes_of_their_own_only_where_one_of_them_has():
    france = GeoplateformeSource(address="http://127.0.0.1:9/wms-r")
    mixed, files = FailoverSource([GivenFiles("one"), france]), FailoverSource([GivenFiles("one"), GivenFiles("two")])
    assert isinstance(mixed, HasPlanes)
    assert not isinstance(files, HasPlanes)
    reader = open_planes(mixed, connections=2)
    assert isinstance(reader, SeveralPlanes)
    reader.close()


def test_a_source_whose_bands_cannot_be_told_is_not_joined():
    class Odd(GivenFiles):
        reads_files = False

    assert isinstance(open_planes(Odd("odd"), connections=1), SinglePlanes)
    with pytest.raises(CurateError, match=r"names odd beside others, and its bands cannot be told from theirs\. Name it alone"):
        FailoverSource([GivenFiles("one"), Odd("odd")])


def test_every_provider_without_files_says_which_bands_are_its_own(monkeypatch):
    for name, value in (("EARTHENGINE_PROJECT", "my-project-123"), ("DHUS_USER", "me"), ("DHUS_PASSWORD", "mine")):
        monkeypatch.setenv(name, value)
    hub = open_hub("https://hub.example.org", max_scene_cloud=100)
    hrefs = {
        "earth-engine": "earth-engine://COPERNICUS/S2/A/B4?grid=1",
        "geoplateforme": "https://data.geopf.fr/wms-r?LAYERS=ORTHOIMAGERY.ORTHOPHOTOS2020",
        hub.name: "sentinelsat://hub.example.org/1/P/B02",
    }
    monkeypatch.delenv("GEOPLATEFORME_URL", raising=False)
    opened = [hub, *(open_source(name) for name in PROVIDERS if name in hrefs)]
    assert len(opened) == 3
    for source in opened:
        assert isinstance(source, HoldsBands)
        assert [name for name, href in hrefs.items() if source.holds(SourceBand(href))] == [source.name]
