"""What all tests share: what runs by default and in which order, no network, the shared data, programs that a test may need.

Off by default: `slow` (--run-slow), `gpu` (--run-gpu), `network` (--run-network). With SEASTARS_REQUIRE_ALL set, as in
CI, any other skip is a failure: there, nothing may be missing.
"""

import gc
import os
import shutil
import signal
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

SWITCHES = {
    "slow": "takes more than about ten seconds",
    "gpu": "needs an accelerator",
    "network": "talks to real providers",
}
ROOT = Path(__file__).parent.parent
NOWHERE = "http://127.0.0.1:9"


class NetworkBlockedError(RuntimeError):
    """A test reached for the network. No OSError, so that no code takes it for an answer of the network."""


def pytest_addoption(parser: pytest.Parser) -> None:
    for mark, why in SWITCHES.items():
        parser.addoption(f"--run-{mark}", action="store_true", help=f"run the tests marked {mark}: each {why}")


def pytest_configure(config: pytest.Config) -> None:
    # A shell ignores interrupts for what it starts in the background, and so would every command that the tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Of pytest-xdist: files with many tests first, whatever these take. Ours is below.
    config.option.loadscopereorder = False
    if not config.getoption("--run-network"):
        block_network()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for mark, why in SWITCHES.items():
            if item.get_closest_marker(mark) and not config.getoption(f"--run-{mark}"):
                item.add_marker(pytest.mark.skip(reason=f"{why}; runs with --run-{mark}"))
    if hasattr(
        config, "workerinput"
    ):  # Files of slow tests first, so that no process is left with one while the others are done.
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Set aside what stays, thousands of tests and all they import: looking there for garbage is a tenth of the time."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let the interpreter find all of it as it ends: bindings complain of what they never see freed."""
    gc.unfreeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail") and not item.get_closest_marker("skip"):
        forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    forbid_skip(report)
    return report


def forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where nothing may be missing."""
    if report.skipped and os.environ.get("SEASTARS_REQUIRE_ALL"):
        report.outcome = "failed"
        report.longrepr = f"SEASTARS_REQUIRE_ALL is set, and this was skipped: {report.longrepr}"


def require_program(name: str) -> str:
    """Path of a program such as `nginx`; the test is skipped where the machine lacks it."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"the program {name} is not installed")
    return path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the small real data sets; the test is skipped where it is absent."""
    folder = Path(os.environ.get("EO_SHARED_DATA", ROOT.parent / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set EO_SHARED_DATA to where they are")
    return folder


def block_network() -> None:
    """Let this process and its children reach this machine only.

    Python's sockets refuse anything but loopback and unix sockets. GDAL, Rust libraries and child processes have sockets of
    their own; they meet a proxy that does not answer.
    """
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check_local(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check_local(address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        check_local((host,))
        return getaddrinfo(host, *args, **options)

    socket.socket.connect = guarded_connect
    socket.socket.connect_ex = guarded_connect_ex
    socket.getaddrinfo = guarded_getaddrinfo
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        os.environ[name] = os.environ[name.upper()] = NOWHERE
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1,::1"


def check_local(address: Any) -> None:
    """Refuse an address that is not of this machine."""
    host = address[0] if isinstance(address, tuple) else "localhost"
    name = host.decode() if isinstance(host, bytes) else host
    if name not in (None, "", "localhost", "::1", "0.0.0.0") and not name.startswith("127."):
        message = (
            f"A test reached for {name}. Tests run offline; mark it network and pass --run-network, or use a local server."
        )
        raise NetworkBlockedError(message)
