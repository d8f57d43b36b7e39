"""Several sources as one: who is asked, whose scenes are given, and what is said of those that do not answer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from catalogs.foreign import SourceBand, SourceScene
from curate.errors import CurateError, SourceSensorError, SourceUnavailableError
from curate.sources import documents, member, open_source
from curate.sources.failover import FailoverSource, names_in, open_several
from curate.sources.protocol import Several, reads_files
from tests.servers import free_port

S2, NAIP = "sentinel-2-l2a", "naip"
BOX = (1.0, 43.0, 2.0, 44.0)
START = datetime(2023, 6, 1, tzinfo=UTC)
END = START + timedelta(days=30)
SQUARE = {"type": "Polygon", "coordinates": [[[1.0, 43.0], [2.0, 43.0], [2.0, 44.0], [1.0, 44.0], [1.0, 43.0]]]}


def scene(name, day=1, sensor=S2, **changes):
    made = SourceScene(name, sensor, SQUARE, {"B02": SourceBand("https://host/b.tif")}, datetime=START + timedelta(days=day))
    return replace(made, **changes)


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch):
    """Between two tries at an address that does not answer."""
    monkeypatch.setattr(documents, "BACKOFF_S", 0.0)


class Stub:
    """A source in memory; each of its searches may fail instead."""

    simulated, reads_files, max_scene_cloud = False, True, 80

    def __init__(self, name, scenes=(), *, sensors=(S2,)):
        self.name, self.scenes, self.has = name, list(scenes), sensors
        self.skipped, self.asked, self.error = {}, 0, None

    def sensors(self):
        return self.has

    def search(self, sensor, box, start, end):
        self.asked += 1
        if self.error:
            raise self.error
        return [each for each in self.scenes if each.sensor == sensor]

    def open(self, band):
        return self.name, band


def down(name, scenes=()):
    source = Stub(name, scenes)
    source.error = SourceUnavailableError(f"{name} answers 503. Run the same command again later.")
    return source


def ask(source, sensor=S2):
    return source.ask(sensor, BOX, START, END)


def test_names_are_parted_at_commas_but_a_path_with_a_comma_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a,b").mkdir()
    assert names_in("a,b") == ["a,b"]
    assert names_in("earth-search,planetary-computer") == names_in("earth-search , planetary-computer")
    assert names_in("https://x.example/stac,a") == ["https://x.example/stac", "a"]
    password = "sentinelsat:https://me:pa,ss@hub.example/dhus"
    assert names_in(password) == [password]
    assert names_in(f"{password},a,https://x.example/b@c,d") == [password, "a", "https://x.example/b@c", "d"]
    for name in ("a,b.toml", "c.toml"):
        (tmp_path / name).write_text("")
    assert names_in("a,b.toml#1a2b") == ["a,b.toml#1a2b"]
    assert names_in("c.toml#1a2b,earth-search") == ["c.toml#1a2b", "earth-search"]
    assert names_in("c.toml#1a2b,c.toml#3c4d") == ["c.toml#1a2b", "c.toml#3c4d"]


def test_scenes_of_all_come_in_the_order_of_time_and_say_whose_they_are():
    both = FailoverSource([Stub("one", [scene("b", 3), scene("a", 9)]), Stub("two", [scene("c", 5)])])
    answer = ask(both)
    assert [(each.id, each.source, each.rank) for each in answer.scenes] == [("b", "one", 0), ("c", "two", 1), ("a", "one", 0)]
    assert answer.unanswered == {}
    assert both.search(S2, BOX, START, END) == answer.scenes
    assert (both.name, both.simulated, reads_files(both), both.max_scene_cloud) == ("one,two", False, True, 80)
    assert isinstance(both, Several)
    assert not isinstance(Stub("one"), Several)


def test_a_name_that_a_source_has_given_its_scenes_stays():
    (found,) = ask(FailoverSource([Stub("one", [scene("a", source="earlier")]), Stub("two")])).scenes
    assert found.source == "earlier"


def test_of_an_id_that_both_have_both_scenes_are_given_and_the_later_one_s_id_says_whose_it_is():
    """They may be one scene, or two of other ground, or mosaics of which one has gaps; that is found out over each square."""
    both = FailoverSource([Stub("one", [scene("a", cloud_percent=1)]), Stub("two", [scene("a", cloud_percent=2)])])
    told = [(each.id, each.source, each.cloud_percent) for each in ask(both).scenes]
    assert told == [("a", "one", 1), ("a (two)", "two", 2)]


def test_another_answers_for_a_sensor_that_the_first_has_not():
    both = FailoverSource([Stub("one"), Stub("two", [scene("n", sensor=NAIP)], sensors=(NAIP, S2))])
    assert list(both.sensors()) == [S2, NAIP]
    answer = ask(both, NAIP)
    assert [each.source for each in answer.scenes] == ["two"]
    assert answer.unanswered == {}


def test_a_sensor_that_none_has_is_an_error():
    with pytest.raises(SourceSensorError, match=r"None of one,two has naip\. Choose another --sensor, or another --source\."):
        ask(FailoverSource([Stub("one"), Stub("two")]), NAIP)


@pytest.mark.parametrize("order", [0, 1])
def test_one_that_does_not_answer_is_left_out_and_named(order):
    sources = [down("one"), Stub("two", [scene("a")])]
    answer = ask(FailoverSource(sources[::-1] if order else sources))
    assert [each.source for each in answer.scenes] == ["two"]
    assert list(answer.unanswered) == ["one"]
    assert "one answers 503" in str(answer.unanswered["one"])


def test_where_none_answers_it_is_an_error_that_names_each():
    with pytest.raises(SourceUnavailableError, match=r"No source answers that may have it\. one: .*503.* two: .*503"):
        ask(FailoverSource([down("one"), down("two")]))


def test_who_has_not_the_sensor_does_not_answer_for_who_may_have_it():
    naip = Stub("two", sensors=(NAIP,))
    with pytest.raises(SourceUnavailableError, match="one: one answers 503"):
        ask(FailoverSource([down("one"), naip]))


def test_another_error_than_no_answer_is_not_borne():
    first = Stub("one")
    first.error = CurateError("No project is given. Set EARTHENGINE_PROJECT.")
    with pytest.raises(CurateError, match="No project is given"):
        ask(FailoverSource([first, Stub("two")]))


def test_one_that_keeps_failing_is_left_alone_for_a_while(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(member.time, "monotonic", lambda: clock[0])
    first = down("one")
    both = FailoverSource([first, Stub("two", [scene("a")])])
    answers = [ask(both) for _ in range(10)]
    assert first.asked == member.PATIENCE
    assert all("503" in str(answer.unanswered["one"]) for answer in answers)
    first.error = None
    assert ask(both).unanswered
    clock[0] += member.REST_S
    assert ask(both).unanswered == {}
    assert first.asked == member.PATIENCE + 1
    both.check_answered()


def test_threads_that_meet_a_source_at_rest_raise_errors_of_their_own():
    """One object that several raise would gather all their tracebacks."""
    both = FailoverSource([down("one"), Stub("two")])
    answers = [ask(both).unanswered["one"] for _ in range(member.PATIENCE + 2)]
    assert answers[-1] is not answers[-2]
    assert str(answers[-1]) == str(answers[0])


def test_failures_that_are_not_in_a_row_give_no_rest():
    first = Stub("one")
    both = FailoverSource([first, Stub("two")])
    for turn in range(12):
        first.error = SourceUnavailableError("busy") if turn % 3 else None
        ask(both)
    assert first.asked == 12


def test_sensors_are_those_of_who_answers_and_the_others_can_be_asked_for():
    class Silent(Stub):
        def sensors(self):
            raise SourceUnavailableError("one answers nothing. Run the same command again later.")

    both = FailoverSource([Silent("one"), Stub("two")])
    assert list(both.sensors()) == [S2]
    with pytest.raises(SourceUnavailableError, match=r"^Not all sources answer\. one: one answers nothing"):
        both.check_answered()
    none = FailoverSource([down("one"), down("two")])
    with pytest.raises(SourceUnavailableError, match="No source answers"):
        ask(none)
    with pytest.raises(SourceUnavailableError, match="No source answers"):
        none.check_answered()
    with pytest.raises(SourceUnavailableError, match="No source answers"):
        FailoverSource([Silent("one"), Silent("two")]).sensors()


def test_what_is_of_no_use_is_told_with_whose_it_is():
    one, two = Stub("one"), Stub("two")
    one.skipped["x"] = "no sensor of ours"
    two.skipped |= {"x": "another reason", "y": "no time"}
    assert FailoverSource([one, two]).skipped == {"x": "no sensor of ours (one)", "y": "no time (two)"}


def test_a_file_is_opened_as_any_of_them_opens_files():
    band = SourceBand("https://host/b.tif")
    assert FailoverSource([Stub("one"), Stub("two")]).open(band) == ("one", band)


def test_a_band_that_none_of_them_can_open_is_told():
    """None reads files, and none says that it is its own."""

    class Rendered(Stub):
        reads_files = False

        def holds(self, band):
            return False

        def planes(self, *, connections):
            raise NotImplementedError

    with pytest.raises(SourceUnavailableError, match=r"https://host/b\.tif is of none of the sources that were named\. Search"):
        FailoverSource([Rendered("one"), Rendered("two")]).open(SourceBand("https://host/b.tif"))


def test_a_source_that_is_named_twice_is_refused():
    with pytest.raises(
        CurateError, match="--source names earth-search twice; expected different sources, the preferred one first"
    ):
        open_source("earth-search,earth-search")


def test_two_archives_of_one_name_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = f'{{}}api = "http://127.0.0.1:{free_port()}/stac"\n[sensors.naip]\ncollection = "{{}}"\n'
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "archive.toml").write_text(text.format("", folder))
    expected = r"names x/archive\.toml and y/archive\.toml, and items of both .* from 'archive'.*Give y/archive\.toml one"
    with pytest.raises(CurateError, match=expected):
        open_source("x/archive.toml,earth-search,y/archive.toml")
    (tmp_path / "y" / "archive.toml").write_text(text.format('name = "another"\n', "y"))
    assert len(open_source("x/archive.toml,y/archive.toml").sources) == 2


def test_what_is_rendered_is_no_substitute_for_what_is_measured():
    with pytest.raises(CurateError, match=r"--source names simulated beside others.*Name it alone: --source simulated"):
        open_source("earth-search,simulated")


@pytest.mark.parametrize("text", ["earth-search,", ",earth-search", "earth-search,,simulated"])
def test_an_empty_name_is_refused(text):
    with pytest.raises(CurateError, match="has a name that is empty; expected sources with a comma between them"):
        open_source(text)


def test_an_unknown_name_among_several_is_answered_as_if_alone():
    with pytest.raises(CurateError, match=r"Unknown source 'eart-search'.*Did you mean 'earth-search'"):
        open_source("planetary-computer,eart-search")


@pytest.mark.parametrize("text", ["{}", "earth-search,{}", "{},earth-search"])
def test_a_password_with_a_comma_is_not_told_in_part(text):
    with pytest.raises(CurateError, match=r"The address of hub\.example holds a user name or a password") as caught:
        open_source(text.format("sentinelsat:https://me:plan,ted@hub.example/dhus"))
    assert "plan" not in str(caught.value)


def test_opening_known_sources_asks_nothing():
    assert open_source("earth-search,planetary-computer", max_scene_cloud=30).name == "earth-search,planetary-computer"


def test_an_address_that_does_not_answer_yet_is_opened_once_it_does():
    url, tries = f"http://127.0.0.1:{free_port()}/stac", []

    def open_one(text, *, max_scene_cloud):
        if text == "two":
            return Stub("two", [scene("a")])
        tries.append(text)
        return open_source(text, max_scene_cloud=max_scene_cloud) if len(tries) == 1 else Stub(url, [scene("b", 0)])

    both = open_several([f"{url}?token=hidden", "two"], open_one, max_scene_cloud=70)
    assert (both.name, both.max_scene_cloud, tries) == (f"{url},two", 80, [f"{url}?token=hidden"])
    answer = ask(both)
    assert [each.id for each in answer.scenes] == ["a"]
    assert list(answer.unanswered) == [url]
    assert "hidden" not in str(answer.unanswered)
    assert [each.source for each in ask(both).scenes] == [url, "two"]
    assert len(tries) == 2


def test_a_mapping_file_of_a_catalog_that_does_not_answer_is_an_error_of_its_own(tmp_path):
    """What its name is, hangs on its contents: nothing stands in for it."""
    (tmp_path / "archive.toml").write_text(f"""
catalog = "http://127.0.0.1:{free_port()}/catalog.json"
[sensors.naip]
collection = "naip"
""")
    with pytest.raises(SourceUnavailableError, match="cannot be reached"):
        open_source(f"{tmp_path / 'archive.toml'},earth-search")
