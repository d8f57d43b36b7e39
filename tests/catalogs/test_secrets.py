"""What must not reach a catalog, planted in many forms, and what may."""

import json
import re
from pathlib import Path

import pytest

from catalogs.secrets import SIGNING_NAMES, has_secret, secret_kind, without_secrets

AZURE = "https://s.blob.core.windows.net/c/B04.tif?st=2025-01-01&se=2025-02-01&sp=rl&sv=2024-05-04&sr=c&skoid=9c&sig=Qm%2Bx%3D"
AMAZON = (
    "https://b.s3.amazonaws.com/B04.tif?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20250101"
    "&X-Amz-Date=20250101T000000Z&X-Amz-Expires=3600&X-Amz-Signature=0f3a&X-Amz-Security-Token=abc"
)

CLEANED = [
    (AZURE, "https://s.blob.core.windows.net/c/B04.tif"),
    (AMAZON, "https://b.s3.amazonaws.com/B04.tif"),
    ("https://b.s3.amazonaws.com/x?AWSAccessKeyId=AK&Expires=17&Signature=ab%3D", "https://b.s3.amazonaws.com/x"),
    ("https://storage.googleapis.com/b/x?X-Goog-Signature=ab&X-Goog-Date=1", "https://storage.googleapis.com/b/x"),
    ("https://cdn/x?Policy=a&Signature=b&Key-Pair-Id=c", "https://cdn/x"),
    ("https://host/x.tif?version=2&token=abc&band=4", "https://host/x.tif?version=2&band=4"),
    ("https://host/x.tif?access_token=abc#page=2", "https://host/x.tif#page=2"),
    ("https://host/x.tif?apikey=1&api_key=2&API-Key=3&key=4", "https://host/x.tif"),
    ("https://host/x#access_token=abc", "https://host/x"),
    ("https://ada:pw@host:8443/x.tif", "https://host:8443/x.tif"),
    ("https://ada@host/x.tif", "https://host/x.tif"),
    ("https://host/preview?url=https%3A%2F%2Fs%2Fx.tif%3Fsig%3Dabc&bidx=1", "https://host/preview?bidx=1"),
    ("https://host/x?a=1;token=abc", "https://host/x"),
    ("/vsicurl/https://ada:pw@host/x.tif?sig=a", "/vsicurl/https://host/x.tif"),
    ("s3://ada:pw@bucket/x.tif", "s3://bucket/x.tif"),
]
HARMLESS = [
    "https://host/x.tif",
    "https://host/search?collections=naip&limit=10&bbox=1,2,3,4",
    "https://host/x.tif?version=2&item=a%20b",
    "s3://bucket/keys/token/x.tif",
    "https://host/@ada/x.tif",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "/data/home/x.tif",
    "../items/x.json",
    "",
]
PLANTED = {
    "user information in an address": ["https://ada:pw@host/x", "see s3://key@bucket/x there"],
    "a signed query": [
        AZURE.rpartition("&")[0] + "&sig=Q",
        "https://h/x?token=abc",
        "x?a=1\\u0026Signature=b",
        "x?a=1&amp;sig=b",
    ],
    "a bearer token": ['{"Authorization": "Bearer abcdefgh1234"}'],
    "a basic authorization": ['{"Authorization": "Basic YWRhOnB3"}'],
    "an AWS access key": ["key AKIAIOSFODNN7EXAMPLE here", "ASIAIOSFODNN7EXAMPLE"],
    "a JSON web token": ["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"],
    "a private key": ["-----BEGIN RSA PRIVATE KEY-----"],
    "an access token": ["hf_" + "a" * 34, "ghp_" + "B" * 36, "AIza" + "c" * 35],
}


@pytest.mark.parametrize(("href", "clean"), CLEANED)
def test_secrets_go_and_the_rest_of_an_address_stays(href, clean):
    assert without_secrets(href) == clean


@pytest.mark.parametrize("href", HARMLESS)
def test_a_harmless_address_is_left_as_it_is_and_no_secret_is_found(href):
    assert without_secrets(href) == href
    assert not has_secret(href)


@pytest.mark.parametrize(
    "href",
    [
        *(href for href, _ in CLEANED), *HARMLESS, "https://h", "https://h/", "https://h//x", "https://h:1:2/x", "s3:///x", "HTTPS://h/x",
        "https://h/x?", "https://h/x#", "https://h/x\n", "https://h/x y", "file:///home/x", "file://h/x", "a.b+c-d://h/x,y=1~2:3",
        "/vsicurl/https://h/x", "simulated://world/0/31UDQ/S2A_1/B04",
    ],
)  # fmt: skip
def test_an_address_that_is_not_taken_apart_would_come_out_the_same(href, monkeypatch):
    quick = without_secrets(href)
    monkeypatch.setattr("catalogs.secrets._PLAIN", re.compile("(?!)"))
    assert without_secrets(href) == quick


@pytest.mark.parametrize("href", [href for href, _ in CLEANED])
def test_what_is_removed_from_an_address_is_what_verification_finds(href):
    assert has_secret(href)
    assert not has_secret(without_secrets(href))


@pytest.mark.parametrize("name", SIGNING_NAMES)
def test_every_signing_name_is_removed_and_found_in_any_case(name):
    for spelled in (name, name.upper(), name.title()):
        assert without_secrets(f"https://h/x?a=1&{spelled}=v") == "https://h/x?a=1"
        assert has_secret(f"https://h/x?a=1&{spelled}=v")


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in PLANTED.items() for text in texts])
def test_a_planted_secret_is_found_anywhere_in_a_document_and_named(kind, text):
    assert secret_kind(text) == kind
    assert has_secret(json.dumps({"properties": {"note": [1, {"deep": f"before {text} after"}]}}))


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/home/ada/archive/x.tif", "~/archive/x.tif"),
        ("file:///home/ada/x.tif", "~/x.tif"),
        ("/home/ada", "~"),
        ("/home/adalbert/x.tif", "/home/adalbert/x.tif"),
        ("/data/home/ada/x.tif", "/data/home/ada/x.tif"),
        ("file:///data/x.tif", "file:///data/x.tif"),
        ("https://host/home/ada/x.tif", "https://host/home/ada/x.tif"),
    ],
)
def test_the_user_s_own_home_folder_loses_its_name_and_can_be_found_again(path, clean, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert without_secrets(path) == clean
    assert str(Path(clean).expanduser()) == str(Path(path.removeprefix("file://"))) or "://" in clean


@pytest.mark.parametrize("home", ["", "/"])
def test_without_a_home_folder_paths_stay(home, monkeypatch):
    monkeypatch.setenv("HOME", home)
    assert without_secrets("/data/x.tif") == "/data/x.tif"


def test_a_whole_item_without_secrets_passes(shared_data):
    for path in sorted((shared_data / "stac_recorded").glob("*/S2*.json")):
        assert secret_kind(path.read_text()) is None, path.name
