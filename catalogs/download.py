"""Fetching a remote file into a local one, in this process or, where this one cannot, in a helper.

The network client runs threads, which a forked process does not inherit: there it would wait for ever. Loader workers are
forked processes. Such a one starts a helper, `python -m catalogs.download`, once, and hands it its fetches line by line; the
helper ends with it.
"""

from __future__ import annotations

import atexit
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import IO, Any

from catalogs import errors, files
from catalogs.errors import CatalogError
from catalogs.secrets import without_secrets


def download(address: str, path: Path) -> str:
    """Fetch a remote file; what is written of it when this fails is its caller's to remove.

    Args:
        address: An `http(s)://` or `s3://` address.
        path: Where to; its folder is there.

    Returns:
        SHA-256 of its bytes, 64 hexadecimal digits.

    Raises:
        MissingAssetError: There is no such file.
        CatalogUnreachableError: Its server does not answer, or refuses.
        OSError: The disk is full or cannot be written.
    """
    if not files.is_client_lost():
        return _download(address, path)
    answer = _helper(os.getpid()).ask({"address": address, "path": str(path)})
    if "digest" in answer:
        return str(answer["digest"])
    if "error" in answer:
        raise getattr(errors, answer["error"])(answer["words"])
    raise OSError(answer["errno"], answer["words"])


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Fetch what is asked for, one JSON object a line, until there are no more requests."""
    for line in requests:
        request = json.loads(line)
        answers.write(json.dumps(_answer(request["address"], Path(request["path"]))) + "\n")
        answers.flush()


def _answer(address: str, path: Path) -> dict[str, Any]:
    try:
        return {"digest": _download(address, path)}
    except CatalogError as error:
        return {"error": type(error).__name__, "words": str(error)}
    except OSError as error:
        return {"errno": error.errno or errno.EIO, "words": error.strerror or str(error)}


def _download(address: str, path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for portion in files.read_portions(address):
            digest.update(portion)
            file.write(portion)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


class _Helper:
    """A process that fetches for this one."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", "catalogs.download"]
        self._process = subprocess.Popen(  # noqa: S603 # ourselves, and nothing that anybody typed
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._lock = Lock()
        atexit.register(self.close)

    def close(self) -> None:
        """End it."""
        with suppress(BrokenPipeError):
            self._process.communicate()

    def ask(self, request: dict[str, str]) -> dict[str, Any]:
        """Have something fetched, and wait for it.

        Raises:
            CatalogUnreachableError: The helper was killed.
        """
        assert self._process.stdin, "it is asked through its input"
        assert self._process.stdout, "it answers through its output"
        with self._lock, suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
            if answer:
                return dict(json.loads(answer))
        shown = without_secrets(request["address"])
        raise errors.CatalogUnreachableError(
            f"{shown} was not fetched: the process that does so for this one was killed. Start again."
        )


@lru_cache(maxsize=1)
def _helper(_process: int) -> _Helper:
    """The helper of this process, which its number tells from the one that it was forked from."""
    return _Helper()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its process's affair, with which it ends
    serve(sys.stdin, sys.stdout)
