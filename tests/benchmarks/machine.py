"""What a benchmark was asked, and what it ran on."""

from __future__ import annotations

import os
import platform
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path


def asked(doc: str | None, *words: str) -> list[str]:
    """The words behind a benchmark's name, of which none must be given; `--help` shows its docstring instead of running it."""
    parser = ArgumentParser(description=doc, formatter_class=RawDescriptionHelpFormatter)
    for word in words:
        parser.add_argument(word, nargs="?")
    given: list[str | None] = list(vars(parser.parse_args()).values())
    return [word for word in given if word is not None]


def describe_machine() -> str:
    """Processor, cores and Python, for the head of a benchmark's output."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"
