import json
from datetime import UTC, datetime

import pytest

from curate.errors import SourceUnavailableError
from curate.sources.stac_api import StacApiSource
from curate.sources.trial import try_out
from tests.curate.reading.scripted_server import Answer, part_of, serve_script
from tests.curate.sources.test_stac_api import HERE, S2, item, items, landing
from tests.servers import replay

BOX = (-180.0, -90.0, 180.0, 90.0)


def found(files):
    scene = json.loads(json.dumps(item()).replace("https://host", files))
    scene["properties"]["datetime"] = datetime(2023, 7, 3, tzinfo=UTC).isoformat()
    return scene | {"collection": S2}


def test_a_source_that_answers_and_a_file_that_can_be_read_are_told():
    with (
        serve_script(lambda asked: part_of(bytes(5000), asked)) as store,
        replay([landing(), items(found(store.url))], instead_of=HERE) as api,
    ):
        words = try_out(StacApiSource(api.url, collections={S2: S2}), S2, BOX, "2023-07-01")
        assert words == f"answers; scenes of {S2} within 16 days: 1; {store.url} gives their files"
        assert [asked.span for asked in store.asked] == [(0, 1024)]


def test_a_source_that_finds_nothing_or_whose_file_is_refused_fails():
    with (
        serve_script(lambda _: Answer(403)) as store,
        replay([landing(), items(found(store.url))], instead_of=HERE) as api,
    ):
        source = StacApiSource(api.url, collections={S2: S2})
        with pytest.raises(SourceUnavailableError, match=r"answers, but has no sentinel-2-l2a at .* from 2022-07-01"):
            try_out(source, S2, BOX, "2022-07-01")
        with pytest.raises(SourceUnavailableError, match=r"B04\.tif cannot be read: its server says 403 Forbidden"):
            try_out(source, S2, BOX, "2023-07-01")
