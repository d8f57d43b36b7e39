"""Logging in at the Copernicus Data Space, against a double of its Keycloak."""

import pytest

from curate.errors import CurateError, HostDownError, SourceUnavailableError
from curate.sources import tokens
from curate.sources.cdse.login import SESSION_MARGIN_S, Login
from tests.cdse_double import serve_cdse


@pytest.fixture
def double(tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "PAUSES_S", (0.01, 0.01))
    monkeypatch.delenv("CDSE_TOKEN", raising=False)
    with serve_cdse(tmp_path) as running:
        monkeypatch.setenv("SEASTARS_CDSE_TOKEN_URL", running.token_url)
        monkeypatch.setenv("CDSE_USERNAME", running.user)
        monkeypatch.setenv("CDSE_PASSWORD", running.password)
        yield running


def test_name_and_password_give_a_token_of_ten_minutes(double):
    token = Login(clock=lambda: 1000.0).token()
    assert (token.text, token.until) == (double.lent[0], 1600.0)
    assert double.grants == ["password"]


def test_a_session_is_renewed_without_the_password_as_long_as_it_lasts(double, monkeypatch):
    now = 1000.0
    login = Login(clock=lambda: now)
    login.token()
    assert login.token().text == double.lent[1]
    now += double.session_s - SESSION_MARGIN_S - 1
    assert login.token().text == double.lent[2]
    now += double.session_s - SESSION_MARGIN_S
    assert login.token().text == double.lent[3]
    assert double.grants == ["password", "refresh_token", "refresh_token", "password"]


def test_a_session_that_was_ended_elsewhere_is_begun_anew(double):
    login = Login()
    login.token()
    double._sessions.clear()
    assert login.token().text == double.lent[1]
    assert double.grants == ["password", "password"]


def test_a_wrong_password_names_both_variables_and_neither_value(double, monkeypatch):
    monkeypatch.setenv("CDSE_PASSWORD", "plantedWrong")
    words = r"refuses CDSE_USERNAME and CDSE_PASSWORD \(HTTP 401\)\. Check both; an account with a second factor"
    with pytest.raises(CurateError, match=words) as told:
        Login().token()
    assert told.value.exit_code == 2
    assert "CDSE_S3_ACCESS_KEY" in str(told.value)
    assert not any(secret in str(told.value) for secret in ("plantedWrong", double.user))


def test_an_account_that_its_owner_has_to_finish_is_said(double):
    said = b'{"error": "invalid_grant", "error_description": "Account is not fully set up"}'
    double.token_failures = [(400, {}, said)]
    with pytest.raises(CurateError, match=r"not fully set up\)\. Log in once at https://dataspace\.copernicus\.eu"):
        Login().token()


@pytest.mark.parametrize("content", [b"", b"[]", b"<html>"])
def test_a_refusal_in_no_known_form_is_one_all_the_same(double, content):
    double.token_failures = [(403, {}, content)]
    with pytest.raises(CurateError, match=r"refuses CDSE_USERNAME and CDSE_PASSWORD \(HTTP 403\)"):
        Login().token()


def test_a_login_that_is_busy_or_down_is_waited_for(double):
    double.token_failures = [(429, {}, b""), (502, {}, b"")]
    assert Login().token().text == double.lent[0]
    double.token_failures = [(503, {}, b"")] * 3
    with pytest.raises(HostDownError, match=r"The login of the Copernicus Data Space gives no token \(HTTP 503\)"):
        Login().token()


@pytest.mark.parametrize(
    ("status", "content", "told"),
    [
        (302, b"", "HTTP 302"),
        (200, b'{"access_token": "plantedToken"}', "JSON without a token and its end"),
        (200, b'{"access_token": "plantedToken", "expires_in": "soon"}', "JSON without a token and its end"),
        (200, b"<html>", "no JSON object"),
    ],
)
def test_an_answer_that_is_no_token_is_said(double, status, content, told):
    double.token_failures = [(status, {"Location": "http://127.0.0.1:9/"}, content)]
    with pytest.raises(SourceUnavailableError, match=told) as error:
        Login().token()
    assert "plantedToken" not in str(error.value)


def test_a_token_of_the_users_own_is_used_as_it_is(double, monkeypatch):
    monkeypatch.delenv("CDSE_PASSWORD")
    monkeypatch.setenv("CDSE_TOKEN", "eyJmine")
    token = Login(clock=lambda: 1000.0).token()
    assert (token.text, token.until) == ("eyJmine", 1600.0)
    assert double.grants == []


def test_without_an_account_the_user_reads_where_to_get_one_and_what_to_set(double, monkeypatch):
    monkeypatch.delenv("CDSE_USERNAME")
    words = r"CDSE_USERNAME and CDSE_PASSWORD are not both set, nor is CDSE_TOKEN\. Register at https://dataspace"
    with pytest.raises(CurateError, match=words) as told:
        Login().token()
    assert told.value.exit_code == 2
