"""Mapping files: what they say, and the words for each mistake in one."""

import pytest

from curate.errors import CurateError
from curate.sources.archives.mapped_bands import MappedBand
from curate.sources.archives.mapping import read_mapping

API = 'api = "https://stac.example.org/v1"\n[sensors.sentinel-2-l2a]\ncollection = "s2"\n'
FOLDER = (
    'folder = "."\n[sensors.sentinel-2-l2a]\nfiles = "a_{date}.tif"\nbands = ["B02", "-", "scl"]\nscale = 0.0001\noffset = 0\n'
)


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text):
        (tmp_path / "mine.toml").write_text(text)
        return "mine.toml"

    return write


def test_an_api_is_read_with_all_that_may_be_said(write):
    mapping = read_mapping(
        write(
            'api = "https://stac.example.org/v1"\nname = "mine-2"\ntitle = "Mine"\nurl = "https://example.org"\n'
            '[sensors.sentinel-2-l2a]\ncollection = ["s2", "s2-old"]\nbands.B02 = "blue"\nmask = {asset = "q", band = 3}\n'
            'bands.B03 = {asset = "stack", band = 2, offset = 0, nodata = 7}\nscale = 0.0001\noffset = -0.1\nnodata = 0\n'
            'license = "CC-BY-4.0"\nattribution = "Mine 2024"\nredistributable = false\n'
        )
    )
    assert (mapping.kind, mapping.address, mapping.name, mapping.path) == (
        "api",
        "https://stac.example.org/v1",
        "mine-2",
        "mine.toml",
    )
    sensor = mapping.sensors["sentinel-2-l2a"]
    assert sensor.collections == ("s2", "s2-old")
    assert sensor.bands == {
        "B02": MappedBand("blue", 1, 0.0001, -0.1, 0),
        "B03": MappedBand("stack", 2, 0.0001, 0, 7),
        "scl": MappedBand("q", 3),
    }
    assert sensor.states_radiometry
    assert (sensor.license, sensor.attribution, sensor.redistributable) == ("CC-BY-4.0", "Mine 2024", False)
    about = mapping.about
    assert (about.title, about.url, about.terms, about.redistributable) == ("Mine", "https://example.org", "CC-BY-4.0", False)
    assert [(product.sensor, product.collection) for product in about.products] == [("sentinel-2-l2a", "s2, s2-old")]


def test_a_folder_is_read_with_paths_from_the_file(write, tmp_path):
    mapping = read_mapping(write(FOLDER))
    sensor = mapping.sensors["sentinel-2-l2a"]
    assert (mapping.kind, mapping.address, mapping.name) == ("folder", tmp_path.as_posix(), "mine")
    assert sensor.bands == {"B02": MappedBand("", 1, 0.0001, 0), "scl": MappedBand("", 3)}
    assert sensor.files.text == "a_{date}.tif"


@pytest.mark.parametrize("bands", ['bands = ["B02", "scl"]', 'bands.B02 = "B02"\nmask = "scl"'])
def test_where_each_band_is_a_file_bands_are_what_these_are_called(write, bands):
    text = FOLDER.replace("{date}", "{date}_{band}").replace('bands = ["B02", "-", "scl"]', bands)
    sensor = read_mapping(write(text)).sensors["sentinel-2-l2a"]
    assert sensor.bands == {"B02": MappedBand("B02", 1, 0.0001, 0), "scl": MappedBand("scl")}


def test_what_tells_the_contents_passes_over_layout_and_comments(write):
    plain = read_mapping(write(API)).digest
    assert read_mapping(write(f"# A comment\n\n{API}\n")).digest == plain
    assert read_mapping(write(API + "scale = 0.0002\n")).digest != plain
    assert len(plain) == 12


S2 = "[sensors.sentinel-2-l2a]\n"
MISTAKES = [
    ("api = 1 2", r"mine\.toml is no TOML: .*line 1.*Expected lines such as `api = \"https"),
    ("", r"mine\.toml says nothing of where the archive is; expected one of api \(the http.*, catalog .*, folder"),
    ('api = "https://a.b"\nfolder = "."\n', r"mine\.toml says api and folder of where the archive is; expected one of"),
    ("api = 5\n", r"mine\.toml: api is 5; expected the http\(s\) address of a STAC API\."),
    ('api = "stac.example.org"\n[sensors]\n', r"sensors is \{\}; expected a table per sensor"),
    (f'api = "stac.example.org"\n{S2}collection = "a"', r"api is 'stac\.example\.org'; expected the http\(s\) address"),
    (f'folder = "https://a.b"\n{S2}a = 1', r"folder is 'https://a\.b'; expected the path of a folder of GeoTIFFs"),
    (f'catalog = "nowhere"\n{S2}a = 1', r"catalog is 'nowhere'; expected .*; there is no .*nowhere, and paths start from"),
    ('api = "https://a.b"\n', r"sensors is missing; expected a table per sensor, such as \[sensors\.sentinel-2-l2a\]"),
    ('api = "https://a.b"\nsensor.naip.a = 1', r"sensor is unknown\. Known here: .*sensors\. Did you mean 'sensors'\?"),
    ('api = "https://a.b"\n[sensors.sentinel-2-l2]\n', r"sensors\.sentinel-2-l2 is unknown\. Choose.*'sentinel-2-l2a'\?"),
    ('api = "https://a.b"\n[sensors.naip]\n', r"sensors\.naip is \{\}; expected a table of the sensor's bands"),
    (f'api = "https://a.b"\n{S2}scale = 1', r"sensors\.sentinel-2-l2a\.collection is missing; expected the id of a collection"),
    (API + "colection = 3", r"sensors\.sentinel-2-l2a\.colection is unknown\. Known here: .*Did you mean 'collection'\?"),
    (API.replace('"s2"', "[1]"), r"collection is \[1\]; expected the id of a collection, or a list of them"),
    (API + 'bands.B2 = "blue"', r"\.bands\.B2 is unknown\. sentinel-2-l2a has B01, .*, scl\. Did you mean 'B02'\?"),
    (API + "bands.B02 = 3", r"sensors\.sentinel-2-l2a\.bands\.B02 is 3; expected the key of an asset, or \{asset"),
    (API + "bands.B02 = {band = 3}", r"bands\.B02\.asset is missing; expected the key of an asset"),
    (API + 'bands.B02 = {asset = "a", band = 0}', r"bands\.B02\.band is 0\.0; expected a band's number in the file, from 1"),
    (API + 'bands.B02 = {asset = "a", bnd = 2}', r"bands\.B02\.bnd is unknown\. Known here: asset, .*'band'\?"),
    (API + 'bands.scl = "a"', r"bands\.scl is 'scl'; expected the mask by a key of its own: mask = \"scl\""),
    (API + 'mask = "scl"', r"l2a\.bands is missing; expected the bands beside the mask; where no key is named"),
    (API + "bands = []", r"bands is \[\]; expected a table of our bands"),
    (API + 'scale = "1e-4"', r"sensors\.sentinel-2-l2a\.scale is '1e-4'; expected a number"),
    (API + "nodata = true", r"nodata is True; expected a number of the pixels"),
    (
        API + '[sensors.naip]\ncollection = "n"\nbands.red = "r"\nnodata = -9999',
        r"naip\.nodata is -9999\.0; expected a number that pixels of naip can have, whose type is uint8",
    ),
    (
        API + '[sensors.naip]\ncollection = "n"\nbands.red = {asset = "r", nodata = nan}',
        r"naip\.bands\.red\.nodata is nan; expected a number that pixels of naip can have, whose type is uint8",
    ),
    (API + 'redistributable = "no"', r"redistributable is 'no'; expected true or false"),
    (API + 'license = ""', r"license is ''; expected an SPDX identifier, or `other`"),
    (API + '[sensors.naip]\ncollection = "n"\nmask = "q"', r"naip\.mask is 'q'; expected none, since naip has no"),
    (API + '[sensors.naip]\ncollection = "s2"', r"naip\.collection is 's2'; expected another one than sentinel-2-l2a"),
    (f'catalog = "."\n{S2}scale = 1\n[sensors.naip]\ncollection = "n"', r"l2a\.collection is missing; expected the col"),
    (FOLDER.replace("files", "file"), r"l2a\.files is missing; expected a pattern of file names with a date"),
    (FOLDER.replace("{date}", "{day}"), r"files is 'a_\{day\}\.tif'; expected one of \{date\}.*where \{day\} stands"),
    (FOLDER.replace("bands", "band"), r"bands is missing; expected a list of bands in the order of the files: B01, B02"),
    (FOLDER.replace('"-"', '"B2"'), r"bands\[2\] 'B2' is unknown\. sentinel-2-l2a has"),
    (FOLDER.replace('"-"', '"B02"'), r"bands is \['B02', 'B02', 'scl'\]; expected each band once, and B02 stands there twice"),
    (FOLDER.replace('"B02", "-", "scl"', '"-"'), r"bands is \['-'\]; expected one band at least of B01, "),
    (FOLDER.replace("offset = 0", ""), r"l2a\.offset is missing; expected what makes reflectance.*offset -0\.1"),
    (FOLDER.replace("scale = 0.0001", ""), r"sensors\.sentinel-2-l2a\.scale is missing; expected what makes reflectance"),
    (FOLDER + 'collection = "a"', r"collection is unknown\. Known here: scale"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), MISTAKES, ids=[str(number) for number in range(len(MISTAKES))])
def test_each_mistake_is_told_with_file_key_value_and_what_was_expected(write, text, words):
    with pytest.raises(CurateError, match=words) as caught:
        read_mapping(write(text))
    assert str(caught.value).startswith("mine.toml")
    assert caught.value.exit_code == 2


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(CurateError, match=r"no\.toml does not exist\. Expected a mapping file of an archive"):
        read_mapping(str(tmp_path / "no.toml"))
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CurateError, match=r"b\.toml is not text in UTF-8"):
        read_mapping(str(tmp_path / "b.toml"))
    with pytest.raises(CurateError, match=r"cannot be read \(Is a directory\)"):
        read_mapping(str(tmp_path))


@pytest.mark.parametrize("name", ["earth-search", "CDSE"])
def test_an_archive_does_not_pass_for_a_provider(write, tmp_path, name):
    words = (
        rf"{name}\.toml: name is '{name}'; expected one that is no provider's, .* say `name = \"\.\.\.\"`, or rename the file"
    )
    write(API)
    (tmp_path / "mine.toml").rename(tmp_path / f"{name}.toml")
    with pytest.raises(CurateError, match=words):
        read_mapping(f"{name}.toml")
    with pytest.raises(CurateError, match=r"mine\.toml: name is"):
        read_mapping(write(f'name = "{name}"\n{API}'))


def test_an_orthophoto_needs_no_scale(write):
    mapping = read_mapping(write('folder = "."\n[sensors.naip]\nfiles = "{year}.tif"\nbands = ["red", "green", "blue"]\n'))
    assert not mapping.sensors["naip"].states_radiometry
    assert list(mapping.sensors["naip"].bands) == ["red", "green", "blue"]
