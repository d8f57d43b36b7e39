import logging

import pytest

from curate.sources.discretion import LOGGERS, hide_queries, without_queries


@pytest.mark.parametrize("name", LOGGERS)
def test_no_query_and_no_password_is_logged(name, caplog):
    hide_queries()
    caplog.set_level(logging.DEBUG)
    logging.getLogger(name).info("open %r with %d", "/vsicurl/https://ada:s3cr3t@host/a.tif?sig=s3cr3t&b=1", 7)
    assert caplog.messages == ["open '/vsicurl/https://host/a.tif?...' with 7"]


def test_hiding_twice_hides_once(caplog):
    hide_queries()
    before = [len(logging.getLogger(name).filters) for name in LOGGERS]
    hide_queries()
    assert [len(logging.getLogger(name).filters) for name in LOGGERS] == before


@pytest.mark.parametrize("text", ["Is it there? Nobody knows.", "me@example.org", "https://host/a.tif"])
def test_other_words_stay(text):
    assert without_queries(text).replace("?...", "?") == text
