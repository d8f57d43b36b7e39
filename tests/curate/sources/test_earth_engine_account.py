"""Whose account is used, and what its user reads where something is missing; nothing is asked of a network."""

import json
from pathlib import Path

import pytest

from curate.errors import CurateError
from curate.sources.earth_engine import account as earth_engine_account
from curate.sources.earth_engine.account import HIGH_VOLUME, Account
from tests.planted import assert_nowhere

VARIABLES = ("EARTHENGINE_PROJECT", "EARTHENGINE_SERVICE_ACCOUNT_KEY", "EARTHENGINE_URL", "GOOGLE_APPLICATION_CREDENTIALS")
LOCAL = "http://127.0.0.1:9"
SECRET = "made-up-refresh-token-that-nobody-may-see"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user without any account."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    return tmp_path


def store(home, **told):
    path = home / ".config" / "earthengine" / "credentials"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"refresh_token": SECRET, "client_id": "a-1", "client_secret": "b", "scopes": ["c"], **told}))


def service_key(folder: Path, *, token_uri: str = "http://127.0.0.1:9/token") -> Path:
    """A service account's key file with a private key that was made now."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    told = {"type": "service_account", "project_id": "project-of-the-key", "private_key_id": "1", "private_key": pem}
    path = folder / "key.json"
    path.write_text(json.dumps(told | {"client_email": "robot@project.iam.gserviceaccount.com", "token_uri": token_uri}))
    return path


def test_this_machine_is_asked_without_credentials(monkeypatch):
    monkeypatch.setenv("EARTHENGINE_URL", f"{LOCAL}/")
    account = Account.find("my-project-1")
    assert (account.project, account.url, account.host) == ("my-project-1", LOCAL, "127.0.0.1:9")


def test_stored_credentials_are_used_at_the_high_volume_end_point_and_may_name_the_project(home):
    store(home, project="stored-project")
    account = Account.find()
    assert account.load() is account.credentials
    assert (account.project, account.url) == ("stored-project", HIGH_VOLUME)
    assert account.credentials.refresh_token == SECRET
    assert SECRET not in repr(account)


def test_the_command_line_goes_before_the_environment_and_that_before_the_stored_project(home, monkeypatch):
    store(home, project="stored-project")
    monkeypatch.setenv("EARTHENGINE_PROJECT", "project-of-the-environment")
    assert Account.find().project == "project-of-the-environment"
    assert Account.find("given-project").project == "given-project"


@pytest.mark.parametrize("name", ["EARTHENGINE_SERVICE_ACCOUNT_KEY", "GOOGLE_APPLICATION_CREDENTIALS"])
def test_a_service_account_needs_no_project_beside_its_key(home, monkeypatch, name):
    store(home, project="stored-project")
    monkeypatch.setenv(name, str(service_key(home)))
    account = Account.find()
    assert account.project == "project-of-the-key"
    assert account.credentials.service_account_email == "robot@project.iam.gserviceaccount.com"
    assert account.credentials_words == f"the service account of {name}"


def test_without_a_project_a_user_reads_how_to_name_one(home):
    store(home)
    with pytest.raises(
        CurateError, match=r"none is given\. Name it: --source earth-engine:PROJECT, or export EARTHENGINE_PROJ"
    ):
        Account.find()


@pytest.mark.parametrize("project", ["sceo", "My Project", "-abcdef", "a" * 31])
def test_a_project_that_cannot_be_one_is_refused_before_anybody_is_asked(home, project):
    store(home)
    with pytest.raises(
        CurateError, match=rf"'{project}' is no id of a Google Cloud project: 6 to 30 .*`seco` is the one preset"
    ):
        Account.find(project)


def test_without_credentials_a_user_reads_how_to_get_them():
    account = Account.find("my-project-1")
    with pytest.raises(CurateError, match=r"no credentials are stored here\. Run `earthengine authenticate` once"):
        account.load()


def test_without_the_library_a_user_reads_how_to_install_it(monkeypatch):
    monkeypatch.setattr(earth_engine_account, "find_spec", lambda name: None)
    with pytest.raises(CurateError, match=r"not installed\. Run: pip install 'seastars\[earth-engine\]'"):
        Account.find("my-project-1")


@pytest.mark.parametrize("url", ["http://example.org", "ftp://127.0.0.1", "127.0.0.1:80"])
def test_credentials_go_nowhere_in_the_clear(monkeypatch, url):
    monkeypatch.setenv("EARTHENGINE_URL", url)
    with pytest.raises(
        CurateError, match=r"EARTHENGINE_URL is .*; expected an https:// address, since credentials are sent there"
    ):
        Account.find("my-project-1")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "which is no file of Google credentials that can be read"),
        ("[1]", "which is no file of Google credentials that can be read"),
        ("{", "which is no file of Google credentials that can be read"),
        (
            json.dumps({"type": "authorized_user", "refresh_token": SECRET}),
            r"the kind 'authorized_user'\. Expected the key of a",
        ),
    ],
)
def test_a_key_that_is_none_is_named_without_its_content(home, monkeypatch, content, words):
    path = home / "key.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("EARTHENGINE_SERVICE_ACCOUNT_KEY", str(path))
    with pytest.raises(CurateError, match=words) as caught:
        Account.find("my-project-1")
    (home / "clean").mkdir()
    (home / "clean" / "a").write_text("")
    assert_nowhere([SECRET], home / "clean", str(caught.value))
