"""README.md keeps its word: every command and every line of Python in it is run, offline, in an empty folder.

A fenced block of `bash` or `python` is run unless `<!-- not run: reason -->` stands on the line above it. A block that names
`../shared/` is run where the shared data are.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

BLOCK = re.compile(
    r"^(?:<!-- not run:(?P<reason>.*?)-->\n)?^```(?P<language>bash|python)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
LIMIT_S = 900


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    """`bash` or `python`."""
    code: str
    """What it says, with the last newline."""
    line: int
    """Where it begins in the page."""
    reason: str | None
    """Why it is not run; none where it is."""

    @property
    def needs_shared(self) -> bool:
        """Whether it reads the shared data."""
        return "../shared/" in self.code


def blocks(text: str) -> list[Block]:
    """The fenced blocks of `bash` and `python` of a page, in order."""
    return [
        Block(found["language"], found["code"], text.count("\n", 0, found.start()) + 1, found["reason"])
        for found in BLOCK.finditer(text)
    ]


README = blocks((ROOT / "README.md").read_text())


def run(command: list[str], folder: Path, lines: str) -> None:
    """Run a command in a folder, with the commands of this environment, and show all it said if it fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONWARNINGS": "default"}
    child = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert child.returncode == 0, f"README.md, {lines}, ended with {child.returncode}:\n{child.stdout}\n{child.stderr}"


def run_blocks(chosen: list[Block], folder: Path) -> None:
    """Run the commands one block after the other, then all Python as one program."""
    for block in chosen:
        if block.language == "bash":
            run(["bash", "-euo", "pipefail", "-c", block.code], folder, f"line {block.line}")
    program = "".join(block.code for block in chosen if block.language == "python")
    run([sys.executable, "-c", program], folder, "its blocks of Python")


@pytest.mark.slow
def test_the_commands_of_the_readme_run_as_they_stand(tmp_path):
    folder = tmp_path / "seastars"
    folder.mkdir()
    shared = Path(os.environ.get("EO_SHARED_DATA", ROOT.parent / "shared" / "data")).resolve()
    if shared.is_dir():
        (tmp_path / "shared").mkdir()
        (tmp_path / "shared" / "data").symlink_to(shared)
    chosen = [block for block in README if block.reason is None and (shared.is_dir() or not block.needs_shared)]
    assert chosen
    run_blocks(chosen, folder)
    if not shared.is_dir() and any(block.needs_shared for block in README):
        pytest.skip(f"the blocks over the shared data were not run: there is no {shared}")


def test_a_block_of_the_readme_that_is_not_run_says_why():
    for block in README:
        assert block.reason is None or len(block.reason.split()) >= 2, f"README.md, line {block.line}"


def test_the_readme_names_only_files_that_exist():
    links = re.findall(r"\]\((?!\w+:|#)([^)#]+)", (ROOT / "README.md").read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


PAGE = """
# A page

```bash
echo one > file
```

<!-- not run: it needs an account -->
```bash
false
```

```
false
```

```python
text = open("file").read()
```

```python
assert text == "one\\n"
```
"""


def test_blocks_are_found_with_their_lines_and_reasons():
    found = blocks(PAGE)
    assert [(block.language, block.line) for block in found] == [("bash", 4), ("bash", 8), ("python", 17), ("python", 21)]
    assert [block.reason for block in found] == [None, " it needs an account ", None, None]


def test_blocks_share_a_folder_and_python_shares_its_names(tmp_path):
    run_blocks([block for block in blocks(PAGE) if block.reason is None], tmp_path)
    assert (tmp_path / "file").read_text() == "one\n"


@pytest.mark.parametrize("page", ["```bash\nfalse\ntrue\n```", "```bash\nfalse | true\n```", "```python\n1 / 0\n```"])
def test_a_block_that_fails_fails_the_test(tmp_path, page):
    with pytest.raises(AssertionError, match=r"README\.md, .*, ended with 1"):
        run_blocks(blocks(page), tmp_path)


def test_the_commands_of_this_environment_are_the_ones_that_run(tmp_path):
    run_blocks(blocks("```bash\ncurate --version > version\n```"), tmp_path)
    assert (tmp_path / "version").read_text().strip()
