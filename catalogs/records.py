"""The records that everything else passes around: plain, frozen, checked when made.

A region is sampled into `Location`s; one acquisition of one sensor over a location is a `Scene`; a scene holds one
`Raster` per pixel size, one per mask and one per label raster; a raster has `Band`s on a `Grid`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from catalogs.errors import ContractError

Transform = tuple[float, float, float, float, float, float]
"""(pixel width, 0, left, 0, -pixel height, top) in the grid's units: rasterio's order, `proj:transform`'s first six."""

Bounds = tuple[float, float, float, float]
"""(left, bottom, right, top) in metres of a UTM zone."""

Window = tuple[int, int, int, int]
"""(column, row, width, height) in pixels of the source raster."""

SPLITS = ("train", "val", "test", "none")
LATTICE_M = 60
MAX_SIDE_M = 9780
LABEL_KEYS = ("labels", "change")
"""Of label rasters, and of their one band: what each pixel shows, and what changed since the location's earlier item."""
LABEL_TYPE = "uint8"
UNKNOWN_LABEL = 255
"""Value of a label raster where nobody knows."""
GEOTIFF, TIFF, JPEG, PNG = "image/tiff; application=geotiff", "image/tiff", "image/jpeg", "image/png"
"""Media types of rasters; what we write is the first."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the pixels of an array lie on the ground: north-up, square pixels."""

    epsg: int | None
    """Code of the coordinate system, 32601-32660 or 32701-32760 for a location's own grids; none of pixels without ground."""
    transform: Transform
    """Affine from (column, row) to (x, y)."""
    height: int
    """Rows."""
    width: int
    """Columns."""

    @property
    def gsd(self) -> float:
        """Side of a pixel in the grid's units (metres in UTM)."""
        return self.transform[0]

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def bounds(self) -> Bounds:
        """(left, bottom, right, top) of the outer pixel edges."""
        a, _, left, _, e, top = self.transform
        return left, top + e * self.height, left + a * self.width, top


@dataclass(frozen=True, slots=True)
class Band:
    """One band of a raster: what it measures and how its numbers become values."""

    name: str
    """The field's name: `B02`, `vv`, `red`, `scl`."""
    gsd: float
    """The sensor's own pixel size, metres."""
    common_name: str | None = None
    """STAC's common name, such as `blue`."""
    wavelength_um: float | None = None
    """Centre wavelength, micrometres."""
    scale: float | None = None
    """`value = scale * DN + offset`; none for a mask."""
    offset: float | None = None
    """See `scale`."""
    nodata: float | None = None
    """The DN that says there is no measurement."""


@dataclass(frozen=True, slots=True)
class SourceWindow:
    """Where the pixels of one band came from, without any secret."""

    href: str
    """Address of the source asset, its query string removed where that signs it."""
    window: Window
    """The pixels that were read; of a warp, the window that covers the square."""
    checksum: str | None = None
    """ETag or multihash of the source asset, where its provider gives one."""


@dataclass(frozen=True, slots=True)
class Raster:
    """One file of a scene: the bands of one pixel size, a mask, or somebody's labels of each pixel."""

    key: str
    """Asset key: `10m`, `20m`, `60m`, `scl`, `qa_pixel`, `labels`, `change`."""
    href: str
    """Relative to the collection's folder, with forward slashes; outside of that, but in the catalog's, where `is_released`."""
    bands: tuple[Band, ...]
    """In the order of the file."""
    grid: Grid
    """On the location's square."""
    data_type: str
    """numpy's name, such as `uint16`."""
    checksum: str
    """SHA-256 as a multihash: `1220` and 64 hexadecimal digits."""
    size: int
    """Bytes."""
    resampling: str | None = None
    """Kernel of the warp (`cubic`, `nearest`); none where pixels are the provider's own."""
    sources: tuple[SourceWindow, ...] = ()
    """One per band, or none."""
    is_mask: bool = False
    """A classification or quality raster, or labels, rather than measurements."""
    classes: tuple[str, ...] = ()
    """Names of the values 0, 1, ... of a label raster; none of any other. 255 is where nobody knows."""
    media_type: str = GEOTIFF
    """Of the file."""

    def __post_init__(self) -> None:
        """Check what a label raster says of itself.

        Raises:
            ContractError: It has classes, but is measurements, has several bands, another type than uint8 or another nodata
                value than 255; or a class has no name, or that of another, or there are more than 255.
        """
        if not self.classes:
            return
        if self.key not in LABEL_KEYS or not self.is_mask or [band.name for band in self.bands] != [self.key]:
            raise ContractError(
                f"Asset {self.key} has classes, and bands {', '.join(band.name for band in self.bands)}; expected a label "
                f"raster, {' or '.join(LABEL_KEYS)}, with one band that is called as it is."
            )
        if (self.data_type, self.bands[0].nodata) != (LABEL_TYPE, UNKNOWN_LABEL):
            raise ContractError(
                f"Label raster {self.key} is {self.data_type} with nodata {self.bands[0].nodata}; expected {LABEL_TYPE} with "
                f"{UNKNOWN_LABEL}, where nobody knows."
            )
        if "" in self.classes or len(set(self.classes)) < len(self.classes) or len(self.classes) > UNKNOWN_LABEL:
            raise ContractError(
                f"Label raster {self.key} has classes {list(self.classes)}; expected at most {UNKNOWN_LABEL} names, each once."
            )

    @property
    def is_labels(self) -> bool:
        """Whether it is a label raster."""
        return bool(self.classes)

    @property
    def is_released(self) -> bool:
        """Whether it is a file of somebody's data set that was left where it lay, rather than one that we wrote."""
        return is_outside(self.href)


@dataclass(frozen=True, slots=True)
class Location:
    """A square of ground, sampled once, that several scenes look at.

    What is sampled lies on the lattice. The images of somebody else's data set do not have to: their squares may be of any
    side, anywhere in their zone (`off_lattice`), or somewhere unknown (`epsg` none), with bounds in a frame of their own.
    """

    id: str
    """`<slug>-<six digits>`."""
    epsg: int | None
    """UTM zone of the centre, by the rules of MGRS; none where nobody knows the ground."""
    bounds: tuple[int, int, int, int]
    """(left, bottom, right, top), metres, the lower-left corner on the 60 m lattice; (0, 0, side, side) of unknown ground."""
    split: str = "none"
    """`train`, `val`, `test` or `none`."""
    off_lattice: bool = False
    """Known ground of somebody else's choice: any corner, any side."""

    def __post_init__(self) -> None:
        """Check the square.

        Raises:
            ContractError: The square is not square, its side does not divide by 60 m, it is off the lattice without saying
                so, or the zone is no UTM zone; or its ground is unknown, and its bounds are not those of a frame of its own.
        """
        left, bottom, right, top = self.bounds
        if self.epsg is not None and not self.off_lattice:
            check_side(right - left)
        if right - left != top - bottom:
            raise ContractError(f"Location {self.id} is {right - left} x {top - bottom} m; a location is a square.")
        if self.epsg is None:
            self._check_frame()
        elif self.epsg not in range(32601, 32661) and self.epsg not in range(32701, 32761):
            raise ContractError(f"Location {self.id} is in EPSG:{self.epsg}; expected a UTM zone, 32601-32660 or 32701-32760.")
        elif self.off_lattice and left >= right:
            raise ContractError(f"Location {self.id} has a side of {right - left} m; expected a side above 0.")
        elif not self.off_lattice:
            self._check_corner(south_m=40 if self.epsg > 32700 else 0)
        if self.split not in SPLITS:
            raise ContractError(f"Location {self.id} has split {self.split!r}; expected one of {', '.join(SPLITS)}.")

    def _check_frame(self) -> None:
        left, bottom, right, _ = self.bounds
        if left or bottom or right <= 0 or self.off_lattice:
            raise ContractError(
                f"Location {self.id} has no zone and bounds {self.bounds}{', off the lattice' if self.off_lattice else ''}; "
                "expected (0, 0, side, side) metres of an image whose ground is not known, and no word of a lattice."
            )

    def _check_corner(self, south_m: int) -> None:
        left, bottom, _, _ = self.bounds
        if left % LATTICE_M or (bottom - south_m) % LATTICE_M:
            raise ContractError(
                f"Location {self.id} has its lower-left corner at {left}, {bottom}; expected multiples of {LATTICE_M}"
                f"{' (northing: 40 more)' if south_m else ''}, so that Sentinel-2 windows are copied, not resampled."
            )

    @property
    def zone(self) -> int:
        """EPSG code of its UTM zone.

        Raises:
            ContractError: Its ground is not known.
        """
        if self.epsg is None:
            raise ContractError(f"Location {self.id} is an image whose ground is not known: it has no place on the globe.")
        return self.epsg

    @property
    def is_sampled(self) -> bool:
        """Whether it is a square of the lattice, as everything that is sampled, rather than an image of somebody else's."""
        return self.epsg is not None and not self.off_lattice

    @property
    def side_m(self) -> int:
        """Side of the square, metres."""
        return self.bounds[2] - self.bounds[0]

    @property
    def centre_xy(self) -> tuple[float, float]:
        """Easting and northing of the centre, metres."""
        left, bottom, right, top = self.bounds
        return (left + right) / 2, (bottom + top) / 2

    def grid(self, gsd: float) -> Grid:
        """The square in pixels of `gsd` metres.

        Raises:
            ContractError: The side is not a whole number of pixels.
        """
        count = round(self.side_m / gsd)
        if abs(count * gsd - self.side_m) > 1e-6:
            raise ContractError(
                f"A patch of {self.side_m} m is no whole number of {gsd:g} m pixels. Choose --patch-m as a multiple of both."
            )
        left, _, _, top = self.bounds
        return Grid(self.epsg, (float(gsd), 0.0, float(left), 0.0, -float(gsd), float(top)), count, count)


@dataclass(frozen=True, slots=True)
class Radiometry:
    """How a scene's scale and offset were decided, and what its pixels say to that."""

    decision: str
    """Who decided: `metadata` (the source's item), `baseline` (its processing baseline), `collection` (what that is known as),
    `default` (the sensor's own), `pixels` (these, because the user said so)."""
    check: str
    """`consistent`, `conflict`, or `unchecked` where the square has too few dark pixels to tell."""
    harmonized: str | None = None
    """Of a sensor whose numbers were shifted with a processing baseline: `applied` (these need the offset, which their bands
    state), `not_needed` (they do not), `conflict` (nobody can tell); none of other sensors, and before contract 1.5."""
    evidence: str | None = None
    """What the check rests on: `dark` (valid dark pixels), `date` (another date of the location), `provider` (the same
    acquisition elsewhere); none where unchecked, and before contract 1.5."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One acquisition of one sensor on one location's square."""

    sensor: str
    """Id of the sensor and of its collection, such as `sentinel-2-l2a`."""
    location: Location
    """The square; all scenes of a location share it exactly."""
    rasters: tuple[Raster, ...]
    """Sorted by key."""
    datetime: dt.datetime | None = None
    """Acquisition, UTC, whole seconds in the id; none for a vintage."""
    start_datetime: dt.datetime | None = None
    """First instant of a vintage interval, UTC."""
    end_datetime: dt.datetime | None = None
    """Last instant of a vintage interval, UTC."""
    season: int | None = None
    """Which of the location's date windows it answers, from 0; of a vintage that answers several, the last of them."""
    cloud_percent: float | None = None
    """Share of the square that is not clear: cloud, shadow, fill."""
    snow_percent: float | None = None
    """Share of the square under snow or ice."""
    unclassified_percent: float | None = None
    """Share of the square that the source's mask leaves unclassified."""
    valid_percent: float | None = None
    """Share of the square with a measurement in every band."""
    cloud_source: str | None = None
    """Who judged the square's clouds: its mask (`scl`, `qa_pixel`), or of a scene without one its pixels (`s2cloudless`,
    `brightness`); none where nobody did, and before contract 1.5."""
    source_cloud_percent: float | None = None
    """Cloud cover of the whole source scene, as its provider states it."""
    source: str | None = None
    """Name of the provider that the pixels came from, such as `earth-search`, without any secret."""
    source_id: str | None = None
    """Id of the source's item."""
    source_href: str | None = None
    """Address of the source's item (`derived_from`), without any secret."""
    platform: str | None = None
    """Such as `sentinel-2b`."""
    sun_elevation: float | None = None
    """Degrees."""
    sun_azimuth: float | None = None
    """Degrees."""
    relative_orbit: int | None = None
    """`sat:relative_orbit`."""
    orbit_state: str | None = None
    """`ascending` or `descending`."""
    baseline: str | None = None
    """The provider's processing version, such as `05.11`."""
    radiometry: Radiometry | None = None
    """How scale and offset were decided and checked."""
    shift_m: tuple[float, float] | None = None
    """Measured shift (east, north) against the location's reference scene, metres."""
    simulated: bool = False
    """Rendered, not measured."""
    labels: tuple[str, ...] = ()
    """What the square shows, in the words of whoever labelled it; none where nobody did."""

    def __post_init__(self) -> None:
        """Check times and labels.

        Raises:
            ContractError: There is neither an instant nor an interval, both, or a time that is not UTC; a label is empty or
                there twice.
        """
        interval = (self.start_datetime, self.end_datetime)
        if (self.datetime is None) == (None in interval) or (self.datetime and any(interval)):
            raise ContractError(
                f"A scene of {self.location.id} needs either one datetime or a start and an end; it has "
                f"{self.datetime}, {self.start_datetime}, {self.end_datetime}."
            )
        for when in (self.datetime, *interval):
            if when is not None and when.utcoffset() != dt.timedelta(0):
                raise ContractError(f"A scene of {self.location.id} has time {when.isoformat()}; expected UTC with its zone.")
        if "" in self.labels or len(set(self.labels)) < len(self.labels):
            raise ContractError(f"A scene of {self.location.id} has labels {list(self.labels)}; expected words, each once.")

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of all bands of measurements, by raster."""
        return tuple(band.name for raster in self.rasters if not raster.is_mask for band in raster.bands)


def is_outside(href: str) -> bool:
    """Whether an href that is relative to the collection's folder leads out of it.

    Examples:
        >>> is_outside("../River/River_1.jpg"), is_outside("012/eurosat-012345/a.tif")
        (True, False)
    """
    return href.startswith("../")


def check_side(side_m: float) -> None:
    """Refuse a patch size that the lattice or the tiles cannot hold.

    Raises:
        ContractError: The side is no multiple of 60 m, or not within 60 to 9,780 m.
    """
    if side_m % LATTICE_M or not LATTICE_M <= side_m <= MAX_SIDE_M:
        below = min(max(int(side_m // LATTICE_M) * LATTICE_M, LATTICE_M), MAX_SIDE_M)
        above = min(below + LATTICE_M, MAX_SIDE_M)
        nearest = f"{below} or {above}" if above != below else str(below)
        raise ContractError(
            f"A patch of {side_m:g} m does not divide into 10, 20, 30 and 60 m pixels, or exceeds the {MAX_SIDE_M} m "
            f"overlap of tiles. Expected a multiple of {LATTICE_M} m from {LATTICE_M} to {MAX_SIDE_M}; nearest: {nearest}."
        )
