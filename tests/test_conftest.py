"""The rules that conftest.py sets for all other tests."""

import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import NetworkBlockedError, require_program

pytest_plugins = "pytester"


def test_the_network_is_blocked_and_the_error_names_the_way_out():
    with pytest.raises(NetworkBlockedError, match=r"reached for example\.org.*--run-network"):
        socket.getaddrinfo("example.org", 443)
    with socket.socket() as client, pytest.raises(NetworkBlockedError, match=r"192\.0\.2\.1"):
        client.connect(("192.0.2.1", 80))
    with socket.socket() as client, pytest.raises(NetworkBlockedError, match=r"192\.0\.2\.1"):
        client.connect_ex(("192.0.2.1", 80))


def test_this_machine_can_be_reached():
    with socket.create_server(("localhost", 0)) as server, socket.create_connection(server.getsockname()[:2]) as client:
        accepted, _ = server.accept()
        with accepted:
            client.sendall(b"hello")
            assert accepted.recv(5) == b"hello"


def test_unix_sockets_can_be_reached(tmp_path):
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "socket"))
        server.listen()
        client.connect(str(tmp_path / "socket"))


def test_a_child_process_meets_a_proxy_that_does_not_answer():
    code = "import urllib.request as u; u.urlopen('http://192.0.2.1/', timeout=5)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Connection refused" in child.stderr


def test_gdal_and_rust_meet_it_too():
    import obstore
    import rasterio
    from obstore.exceptions import BaseError

    with pytest.raises(rasterio.errors.RasterioIOError, match=r"127\.0\.0\.1|Failed to connect|Could not connect"):
        rasterio.open("/vsicurl/http://192.0.2.1/a.tif")
    store = obstore.store.HTTPStore.from_url(
        "http://192.0.2.1/", client_options={"allow_http": True}, retry_config={"max_retries": 0}
    )
    with pytest.raises((BaseError, OSError), match="error sending request"):
        store.get("a.tif")


def test_an_absent_program_skips_the_test_and_a_present_one_is_found():
    with pytest.raises(pytest.skip.Exception, match="the program no-such-program is not installed"):
        require_program("no-such-program")
    assert Path(require_program("sh")).is_file()


@pytest.fixture
def ours(pytester, monkeypatch):
    """A test run of its own, in a process of its own, under our conftest."""
    monkeypatch.delenv("SEASTARS_REQUIRE_ALL", raising=False)
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers =\n    slow\n    gpu\n    network\n")
    pytester.makepyfile("""
        import pytest
        @pytest.mark.slow
        def test_slow(): pass
        def test_missing(): pytest.skip("no server")
        def test_plain(shared_data): pass
    """)
    return pytester


def test_slow_tests_are_skipped_until_they_are_asked_for(ours, monkeypatch, tmp_path):
    monkeypatch.setenv("EO_SHARED_DATA", str(tmp_path))
    ours.runpytest_subprocess().assert_outcomes(passed=1, skipped=2)
    ours.runpytest_subprocess("--run-slow").assert_outcomes(passed=2, skipped=1)


def test_files_of_slow_tests_come_first_where_processes_share_the_files(ours):
    pytest.importorskip("xdist")
    slow = "import pytest\n@pytest.mark.slow\ndef test_long(): pass\n"
    ours.makepyfile(test_many="def test_one(): pass\ndef test_two(): pass\n", test_slow=slow)
    words = ("--run-slow", "-v", "test_many.py", "test_slow.py")
    for more, order in (((), ("many", "many", "slow")), (("-n1", "--dist", "loadfile"), ("slow", "many", "many"))):
        result = ours.runpytest_subprocess(*words, *more)
        result.assert_outcomes(passed=3)
        told = [line for line in result.outlines if "PASSED" in line]
        assert tuple(re.findall(r"test_(many|slow)\.py", "".join(told))) == order


def test_absent_shared_data_skip_a_test_and_say_where_they_were_sought(ours, monkeypatch):
    monkeypatch.setenv("EO_SHARED_DATA", "/nowhere")
    result = ours.runpytest_subprocess("-rs")
    result.assert_outcomes(skipped=3)
    result.stdout.fnmatch_lines("*no shared data at /nowhere; set EO_SHARED_DATA*")


def test_a_skip_is_a_failure_where_nothing_may_be_missing(ours, monkeypatch, tmp_path):
    monkeypatch.setenv("EO_SHARED_DATA", str(tmp_path))
    monkeypatch.setenv("SEASTARS_REQUIRE_ALL", "1")
    ours.makepyfile(test_module="import pytest\npytest.importorskip('no_such_module')\n")
    result = ours.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result = ours.runpytest_subprocess("--ignore=test_module.py")
    result.assert_outcomes(passed=1, failed=1, skipped=1)
    result.stdout.fnmatch_lines("*SEASTARS_REQUIRE_ALL is set, and this was skipped: *no server*")


def test_a_library_does_not_take_the_block_for_an_answer_of_the_network():
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(NetworkBlockedError):
        opener.open("http://192.0.2.1/", timeout=5)
