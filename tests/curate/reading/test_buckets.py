import re
from urllib.parse import parse_qsl

import obstore
import pytest
from obstore.store import S3Store

from catalogs.foreign import SourceBand
from curate.errors import CurateError, SourceUnavailableError
from curate.reading import buckets
from curate.reading.buckets import BUCKETS, RENEWED_BEFORE_S, SIGNED_FOR_S, BucketSigner
from curate.reading.reader import BlockReader
from curate.reading.transport import Patience, Transport
from curate.sources import access
from curate.sources.earth_search import earth_search
from tests.curate.reading.scripted_server import Answer, part_of, serve_script
from tests.servers import serve_s3

CONTENT = bytes(range(200))
QUICK = Patience(attempts=2, base_s=0.005, longest_s=0.01)
HREF = "s3://scenes/2023/B 04+.tif"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAABCDEFGHIJKLMNOP", "AWS_SECRET_ACCESS_KEY": "hush"}


@pytest.fixture
def environment(monkeypatch):
    """The environment without anything of AWS, and how to set it."""
    for name in ("REGION", "DEFAULT_REGION", "ENDPOINT_URL", "ENDPOINT", "PROFILE", "SKIP_SIGNATURE", "SESSION_TOKEN"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in (*buckets.CREDENTIALS, "AWS_SECRET_ACCESS_KEY", "AWS_REQUEST_PAYER"):
        monkeypatch.delenv(name, raising=False)
    fresh = BucketSigner()
    monkeypatch.setattr(access, "_signers", lambda: (fresh,))
    buckets.forget_credentials()

    def put(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        buckets.forget_credentials()

    yield put
    buckets.forget_credentials()


def test_without_credentials_an_address_is_not_signed(environment):
    assert not buckets.is_signing()
    assert buckets.web_address(HREF, None, 60) == "https://s3.us-east-1.amazonaws.com/scenes/2023/B%2004%2B.tif"
    assert buckets.web_address("S3://scenes/a.tif", "eu-west-3", 60) == "https://s3.eu-west-3.amazonaws.com/scenes/a.tif"


def test_region_and_endpoint_are_the_environments(environment):
    environment(AWS_REGION="eu-central-1")
    assert buckets.web_address(HREF, None, 60).startswith("https://s3.eu-central-1.amazonaws.com/scenes/")
    environment(AWS_ENDPOINT_URL="http://127.0.0.1:9000")
    assert buckets.web_address(HREF, None, 60) == "http://127.0.0.1:9000/scenes/2023/B%2004%2B.tif"


def test_with_credentials_it_is_signed_for_as_long_as_asked(environment):
    environment(**KEYS, AWS_SESSION_TOKEN="token", AWS_REQUEST_PAYER="true")
    address = buckets.web_address(HREF, None, 61)
    for part in ("Credential=AKIA", "Expires=61&", "Signature=", "Security-Token=token"):
        assert f"X-Amz-{part}" in address
    assert "&x-amz-request-payer=requester" in address
    assert "hush" not in address


@pytest.mark.parametrize("word", ["true", "1", "YES"])
def test_credentials_may_be_left_out(environment, word):
    environment(**KEYS, AWS_SKIP_SIGNATURE=word)
    assert "?" not in buckets.web_address(HREF, None, 60)


def test_the_machines_role_is_asked_only_where_told_to(environment):
    environment(AWS_SKIP_SIGNATURE="false")
    assert buckets.is_signing()


def test_keys_of_a_profile_are_read_from_the_shared_file(environment, tmp_path):
    (tmp_path / "credentials").write_text(
        "[other]\naws_access_key_id = AKIAX\n[mine]\naws_access_key_id = AKIAMINE\naws_secret_access_key = a%b\n"
    )
    environment(AWS_PROFILE="mine", AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "credentials"))
    assert "X-Amz-Credential=AKIAMINE%2F" in buckets.web_address(HREF, None, 60)
    environment(AWS_PROFILE="none")
    assert "?" not in buckets.web_address(HREF, None, 60)
    (tmp_path / "credentials").write_text("no profile")
    environment(AWS_PROFILE="mine")
    assert not buckets.is_signing()


def test_a_profile_whose_keys_are_elsewhere_is_told_with_how_to_have_them(environment, tmp_path):
    environment(AWS_PROFILE="sso", AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "credentials"))
    words = (
        r"AWS_PROFILE is set, but .* no keys of it, .* run `eval \"\$\(aws configure export-credentials --format env\)\"` first"
    )
    with pytest.raises(CurateError, match=words):
        BucketSigner().sign("s3://usgs-landsat/B4.TIF")
    assert buckets.NO_KEYS in BucketSigner().advice
    assert buckets.NO_KEYS in earth_search().lacking["landsat-c2-l2"]
    environment(AWS_PROFILE="")
    assert buckets.NO_KEYS not in buckets.how_to_pay() + BucketSigner().advice


def test_credentials_that_cannot_be_had_are_told(environment):
    environment(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:1/role")
    with pytest.raises(SourceUnavailableError, match=r"scenes/2023/B 04\+\.tif cannot be signed: the credentials of the envir"):
        buckets.web_address(HREF, None, 60)


def test_a_signature_is_kept_until_shortly_before_its_end(environment):
    environment(**KEYS)
    now = [0.0]
    signer = BucketSigner(clock=lambda: now[0])
    first = signer.sign(HREF)
    environment(**KEYS | {"AWS_ACCESS_KEY_ID": "AKIAAAAAAAAAAAAAAAAA"})
    now[0] = SIGNED_FOR_S - RENEWED_BEFORE_S - 1
    assert signer.sign(HREF) is first
    assert first.until == SIGNED_FOR_S
    now[0] += 1
    assert "AKIAAAAAAAAAAAAAAAAA" in signer.sign(HREF).address


def test_a_public_object_s_address_holds_for_ever(environment):
    assert BucketSigner().sign(HREF).until == float("inf")


def test_addresses_that_are_kept_are_bounded(environment, monkeypatch):
    monkeypatch.setattr(buckets, "REMEMBERED", 3)
    signer = BucketSigner()
    first = [signer.sign(f"s3://scenes/{number}.tif") for number in range(5)]
    assert [signer.sign(f"s3://scenes/{n}.tif") is first[n] for n in (4, 3, 2, 0)] == [True, True, True, False]


# Buckets that are known beforehand


def test_a_bucket_whose_requester_pays_is_not_read_without_credentials(environment):
    with pytest.raises(
        CurateError, match=r"s3://usgs-landsat/B4\.TIF is in a bucket whose requester pays: AWS bills"
    ) as caught:
        BucketSigner().sign("s3://usgs-landsat/B4.TIF")
    assert caught.value.exit_code == 2
    assert "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE" in str(caught.value)
    environment(**KEYS, AWS_SKIP_SIGNATURE="true")
    with pytest.raises(CurateError, match="and no AWS_SKIP_SIGNATURE"):
        BucketSigner().sign("s3://usgs-landsat/B4.TIF")


@pytest.mark.parametrize(("bucket", "region"), [("usgs-landsat", "us-west-2"), ("sentinel-s2-l1c", "eu-central-1")])
def test_a_requester_who_pays_says_so_within_the_signature(environment, bucket, region):
    auth, awsrequest = pytest.importorskip("botocore.auth"), pytest.importorskip("botocore.awsrequest")
    from botocore.credentials import Credentials

    environment(**KEYS)
    address = BucketSigner().sign(f"s3://{bucket}/a/B 4.TIF").address
    plain, _, query = address.partition("?")
    assert plain == f"https://s3.{region}.amazonaws.com/{bucket}/a/B%204.TIF"
    *signed, (name, signature) = parse_qsl(query)
    assert name == "X-Amz-Signature"
    assert ("x-amz-request-payer", "requester") in signed
    twin = auth.S3SigV4QueryAuth(Credentials(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"]), "s3", region)
    request = awsrequest.AWSRequest("GET", plain, headers={"host": plain.split("/")[2]}, params=dict(signed))
    request.context["timestamp"] = dict(signed)["X-Amz-Date"]
    canonical = twin.canonical_request(request)
    assert twin.signature(twin.string_to_sign(request, canonical), request) == signature


def test_a_public_bucket_is_asked_in_its_own_region_without_a_word_of_paying(environment):
    environment(AWS_REGION="us-east-2")
    assert BucketSigner().sign("s3://copernicus-dem-30m/a.tif").address.startswith("https://s3.eu-central-1.amazonaws.com/")
    environment(**KEYS)
    assert "payer" not in BucketSigner().sign("s3://sentinel-cogs/a.tif").address
    assert not BUCKETS["sentinel-cogs"].requester_pays


def test_a_store_that_tells_the_region_that_is_known_already_tells_nothing(environment):
    signer = BucketSigner()
    first = signer.sign("s3://sentinel-cogs/a.tif")
    assert not signer.move("s3://sentinel-cogs/a.tif", "us-west-2")
    assert signer.sign("s3://sentinel-cogs/a.tif") is first
    assert signer.move("s3://sentinel-cogs/a.tif", "eu-west-3")
    assert signer.sign("s3://sentinel-cogs/a.tif").address.startswith("https://s3.eu-west-3.amazonaws.com/")


def test_what_to_check_depends_on_whether_there_are_credentials(environment):
    assert BucketSigner().advice.startswith("It was asked for without credentials: check its address, or set AWS_ACCESS_KEY_ID")
    environment(**KEYS)
    assert BucketSigner().advice.startswith("Check AWS_ACCESS_KEY_ID and its companions")


def test_a_reader_of_many_files_ends_with_the_words_for_who_pays(environment):
    bands = [SourceBand(f"s3://naip-analytic/{number}.tif") for number in range(5)]
    with (
        Transport() as transport,
        pytest.raises(CurateError, match=r"s3://naip-analytic/\d\.tif is in a bucket whose requester"),
    ):
        BlockReader(transport).rasters(bands)


# With servers


def test_an_object_that_is_fetched_is_asked_for_with_a_signature(environment):
    with serve_script(lambda asked: part_of(CONTENT, asked)) as store, Transport(patience=QUICK) as transport:
        environment(**KEYS, AWS_ENDPOINT_URL=store.url)
        assert transport.fetch(HREF, 5, 10).content == CONTENT[5:10]
        assert store.asked[0].target.startswith(
            "/scenes/2023/B%2004%2B.tif?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA"
        )


@pytest.mark.parametrize(("status", "code"), [(403, b"AccessDenied"), (400, b"ExpiredToken")])
def test_an_expired_signature_or_token_is_replaced_with_todays_credentials(environment, status, code):
    def answer(asked):
        return part_of(CONTENT, asked) if "AKIANEW" in asked.target else Answer(status, b"<Code>" + code + b"</Code>")

    with serve_script(answer) as store, Transport(patience=QUICK) as transport:
        environment(**KEYS, AWS_ENDPOINT_URL=store.url)
        with pytest.raises(SourceUnavailableError, match=rf"B 04\+\.tif cannot be read: .* {status} .*, {code.decode()}"):
            transport.fetch(HREF, 5, 10)
        assert len(store.asked) == 2
        environment(AWS_ACCESS_KEY_ID="AKIANEW")
        assert transport.fetch(HREF, 5, 10).content == CONTENT[5:10]
        assert transport.fetch(HREF, 15, 20).content == CONTENT[15:20]
        assert len(store.asked) == 5
        assert transport.counts.retries == 0


def test_a_public_bucket_that_refuses_is_not_asked_twice(environment):
    with serve_script(lambda _: Answer(403)) as store, Transport(patience=QUICK) as transport:
        environment(AWS_ENDPOINT_URL=store.url)
        with pytest.raises(SourceUnavailableError, match="403 Forbidden"):
            transport.fetch(HREF, 5, 10)
        assert [asked.target for asked in store.asked] == ["/scenes/2023/B%2004%2B.tif"]


def test_a_bucket_in_another_region_is_learned_once(environment):
    def answer(asked):
        there = re.search(r"%2F([a-z0-9-]+)%2Fs3", asked.target)[1] == "eu-west-3"
        moved = {"x-amz-bucket-region": "eu-west-3", "Location": "http://127.0.0.1:1/elsewhere"}
        return part_of(CONTENT, asked) if there else Answer(307, headers=moved)

    with serve_script(answer) as store, Transport(patience=QUICK) as transport:
        environment(**KEYS, AWS_ENDPOINT_URL=store.url)
        for name in ("a", "b"):
            assert transport.fetch(f"s3://scenes/{name}.tif", 5, 10).content == CONTENT[5:10]
        assert len(store.asked) == 3


def test_a_stand_in_for_s3_gives_ranges_of_its_objects(environment):
    with serve_s3("scenes") as told, Transport(patience=QUICK) as transport:
        environment(**told)
        obstore.put(S3Store("scenes", client_options={"allow_http": True}), "2023/B 04+.tif", CONTENT)
        fetched = transport.fetch(HREF, 190, 300)
        assert (fetched.content, fetched.size) == (CONTENT[190:], 200)
        assert re.fullmatch(r'"[0-9a-f]{32}"', fetched.etag)
        with pytest.raises(SourceUnavailableError, match=r"s3://scenes/none\.tif cannot be read: .* 404 .*NoSuchKey"):
            transport.fetch("s3://scenes/none.tif", 0, 10)
        assert transport.counts.retries == 0
