import logging

import pytest

from curate.errors import SourceUnavailableError
from curate.sources.discretion import LOGGERS, hide_queries, without_queries
from curate.sources.stac_api import StacApiSource
from tests.conftest import NOWHERE


@pytest.mark.parametrize("name", LOGGERS)
def test_no_query_and_no_password_is_logged(name, caplog):
    hide_queries()
    caplog.set_level(logging.DEBUG)
    logging.getLogger(name).info("open %r with %d", "/vsicurl/https://ada:s3cr3t@host/a.tif?sig=s3cr3t&b=1", 7)
    assert caplog.messages == ["open '/vsicurl/https://host/a.tif?...' with 7"]


@pytest.mark.parametrize("written", ["{'Authorization': 'Basic s3cr3t=', 'B': 'x'}", "Authorization: Bearer s3cr3t"])
def test_who_asks_is_not_logged_with_the_headers(written):
    assert "s3cr3t" not in without_queries(f"GET https://host/ Headers: {written}")
    assert without_queries(written).startswith(written.partition("s3cr3t")[0].rpartition("B")[0])


def test_no_search_is_logged_with_its_query_or_its_user(caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SourceUnavailableError, match="cannot be reached"):
        StacApiSource(f"{NOWHERE.replace('//', '//ada:pw@')}/v1?sig=s3cr3t").sensors()
    assert any(record.name == "pystac_client.stac_api_io" for record in caplog.records)
    for secret in ("s3cr3t", "ada", "YWRhOnB3"):
        assert secret not in caplog.text


def test_hiding_twice_hides_once(caplog):
    hide_queries()
    before = [len(logging.getLogger(name).filters) for name in LOGGERS]
    hide_queries()
    assert [len(logging.getLogger(name).filters) for name in LOGGERS] == before


@pytest.mark.parametrize("text", ["Is it there? Nobody knows.", "me@example.org", "https://host/a.tif"])
def test_other_words_stay(text):
    assert without_queries(text).replace("?...", "?") == text
