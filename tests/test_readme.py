"""README.md and the pages beside it keep their word: all commands and all Python in them are run, offline, in an empty folder.

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

    page: str
    """Its path from the root."""
    language: str
    """`bash` or `python`."""
    code: str
    """What it says, with the last newline."""
    line: int
    """Where it begins in the page."""
    reason: str | None
    """Why it is not run; none where it is."""

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.page}, line {self.line}"

    @property
    def needs_shared(self) -> bool:
        """Whether it reads the shared data."""
        return "../shared/" in self.code


def blocks(text: str, page: str = "README.md") -> list[Block]:
    """The fenced blocks of `bash` and `python` of a page, in order."""
    return [
        Block(page, found["language"], found["code"], text.count("\n", 0, found.start()) + 1, found["reason"])
        for found in BLOCK.finditer(text)
    ]


PAGES = ("README.md", "tests/benchmarks/README.md", ".github/CLUSTERS.md")
BLOCKS = [block for page in PAGES for block in blocks((ROOT / page).read_text(), page)]
SHOWN = re.compile(r"The last of them prints this.*?^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""What `curate info` prints of the first data set, as README.md shows it."""


def run(command: list[str], folder: Path, place: str) -> str:
    """Run a command in a folder, with the commands of this environment, and show all it said if it fails; its output."""
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
    assert child.returncode == 0, f"{place}, ended with {child.returncode}:\n{child.stdout}\n{child.stderr}"
    return child.stdout


def run_blocks(chosen: list[Block], folder: Path) -> None:
    """Run the commands one block after the other, then all Python as one program."""
    for block in chosen:
        if block.language == "bash":
            run(["bash", "-euo", "pipefail", "-c", block.code], folder, block.place)
    program = "".join(block.code for block in chosen if block.language == "python")
    run([sys.executable, "-c", program], folder, "The blocks of Python")


@pytest.mark.slow
def test_the_commands_of_the_readme_run_as_they_stand_and_print_what_it_shows(tmp_path):
    folder = tmp_path / "seastars"
    folder.mkdir()
    shared = Path(os.environ.get("EO_SHARED_DATA", ROOT.parent / "shared" / "data")).resolve()
    if shared.is_dir():
        (tmp_path / "shared").mkdir()
        (tmp_path / "shared" / "data").symlink_to(shared)
    chosen = [block for block in BLOCKS if block.reason is None and (shared.is_dir() or not block.needs_shared)]
    assert {block.page for block in chosen} >= {"README.md"}
    run_blocks(chosen, folder)
    (shown,) = SHOWN.findall((ROOT / "README.md").read_text())
    printed = run(["curate", "info", "data/france"], folder, "curate info").splitlines()
    assert [line for line in shown.splitlines() if line not in printed] == []
    if not shared.is_dir() and any(block.needs_shared for block in BLOCKS):
        pytest.skip(f"the blocks over the shared data were not run: there is no {shared}")


def test_a_block_of_the_readme_that_is_not_run_says_why():
    for block in BLOCKS:
        assert block.reason is None or len(block.reason.split()) >= 2, block.place


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_only_files_and_headings_that_exist(page):
    for path, heading in re.findall(r"\]\((?!\w+:)([^)#]*)#?([^)]*)\)", (ROOT / page).read_text()):
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page} names {path}"
        assert not heading or heading in headings(target.read_text()), f"{page} names {path}#{heading}"


def headings(text: str) -> list[str]:
    """Names by which a page's headings are linked to."""
    return [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]


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
    with pytest.raises(AssertionError, match=r", ended with 1"):
        run_blocks(blocks(page), tmp_path)


def test_the_commands_of_this_environment_are_the_ones_that_run(tmp_path):
    run_blocks(blocks("```bash\ncurate --version > version\n```"), tmp_path)
    assert (tmp_path / "version").read_text().strip()
