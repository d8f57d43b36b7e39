"""Parts of a build: `--part 3/20` builds the third of twenty, each of whole grid squares and of about as many locations.

Which locations a part has hangs on the sampled locations and the count of parts alone, so that machines that know nothing of
each other divide the work alike. A folder remembers its part, and `curate merge` joins the folders.
"""

from __future__ import annotations

import heapq
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catalogs import layout
from catalogs.lattice import grid_square
from catalogs.pixels import write_whole
from catalogs.publication import RECORD, read_target
from catalogs.records import Location
from curate.errors import CurateError, RecipeError


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """One of the parts that a build is divided into."""

    count: int
    """How many there are."""
    number: int
    """Which this is, from 1."""

    @classmethod
    def parse(cls, text: str) -> Part:
        """A part as a person writes it.

        Raises:
            CurateError: The text is none, or counts past the end.

        Examples:
            >>> Part.parse("3/20")
            Part(count=20, number=3)
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise CurateError(f"--part is {text!r}; expected a number and how many parts there are, from 1/20 to 20/20.")
        return cls(int(found[2]), int(found[1]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, locations: Sequence[Location]) -> list[Location]:
        """Its locations, in their order.

        Args:
            locations: All of the catalog.

        Raises:
            CurateError: There are fewer grid squares than parts.
        """
        mine = divide(locations, self.count)[self.number - 1]
        return [location for location in locations if grid_square(location) in mine]


def divide(locations: Sequence[Location], count: int) -> list[frozenset[str]]:
    """Divide locations by whole grid squares: scenes are searched and read by square.

    The fullest square goes first, each to the part that has the fewest locations so far.

    Args:
        locations: All of the catalog.
        count: How many parts.

    Returns:
        The grid squares of each part.

    Raises:
        CurateError: There are fewer squares than parts.
    """
    sizes: dict[str, int] = defaultdict(int)
    for location in locations:
        sizes[grid_square(location)] += 1
    if len(sizes) < count:
        raise CurateError(
            f"--part divides into {count}, and the {len(locations):,} locations lie in {len(sizes)} grid squares of 100 km, "
            f"which stay whole. Divide into {len(sizes)} or fewer."
        )
    parts: list[set[str]] = [set() for _ in range(count)]
    fullness = [(0, number) for number in range(count)]
    for square, size in sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0])):
        held, number = heapq.heappop(fullness)
        parts[number].add(square)
        heapq.heappush(fullness, (held + size, number))
    return [frozenset(squares) for squares in parts]


def read_part(folder: Path) -> Part | None:
    """The part that a folder builds; none where it builds everything.

    Raises:
        CurateError: What the folder remembers is no part.
    """
    path = folder / layout.PART
    return Part.parse(path.read_text("utf-8")) if path.exists() else None


def settle_part(folder: Path, asked: Part | None) -> Part | None:
    """The part to build: what is asked for, or what the folder remembers where nothing is.

    Raises:
        RecipeError: The folder builds another part.
    """
    known = read_part(folder)
    if asked is not None and known is not None and asked != known:
        raise RecipeError(
            f"{folder} builds part {known}, and --part is {asked}. Build each part in a copy of the sampled folder "
            f"of its own, or remove {folder / layout.PART} to build another one here too."
        )
    return asked or known


def check_is_home(folder: Path, part: Part, to: str | None) -> None:
    """Refuse a part whose files would go elsewhere than into its folder: there nobody can join it.

    Args:
        folder: The part's.
        part: Which it is.
        to: Where its files are asked to go; where the folder remembers where absent.

    Raises:
        RecipeError: They would go elsewhere.
    """
    kept = read_target(folder)
    if not to and not kept:
        return
    way = (
        f"Build the parts without --to, join them (curate merge PART... --out FOLDER), and copy that to {to}, all but its "
        f"{layout.WORK}; or leave --part out: --scheduler divides a build too."
        if to
        else f"Copy what is there into {folder}, remove {folder / RECORD}, and run the same command again."
    )
    raise RecipeError(
        f"Part {part} of {folder} would have its files in {to or kept}, and parts are joined where their files are. {way}"
    )


def remember_part(folder: Path, part: Part) -> None:
    """Let a folder remember its part."""
    write_whole(folder / layout.PART, f"{part}\n".encode())
