"""The page of a comparison as a browser shows it: nothing is fetched, and nothing is wider than the screen."""

from dataclasses import replace

import numpy as np
import pytest

from evaluate.compare import rank_results
from evaluate.compare_differences import tell_apart
from evaluate.compare_page import write_page
from evaluate.item_table import ItemTable
from evaluate.thumbnails import encode
from tests.conftest import require_program
from tests.evaluate.test_compare import INPUT, MOCO, RESULT, SECO, STATISTICS

WIDTHS = (375, 1280)
SCHEMES = ("light", "dark")
CLASSES = ("AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture", "River", "SeaLake")
LONG_NAME = "exports/2026-11-21/a-run-with-a-name-that-is-far-too-long/" + "x" * 60
TESTED = 80
LEAST_CONTRAST = 4.5
"""WCAG 2.1, 1.4.3, for text."""

OVERFLOWING = """() => [...document.querySelectorAll("body *")].filter(each => {
  const scrolls = each.closest(".wide, .asked");
  return !scrolls && each.getBoundingClientRect().right > innerWidth + 1;
}).map(each => `${each.tagName} ${each.className.baseVal ?? each.className}`)"""
CUT_OFF = """() => [...document.querySelectorAll("svg text")].filter(each => {
  const box = each.getBoundingClientRect();
  return box.left < 0 || box.right > innerWidth || box.height < 10;
}).map(each => each.textContent)"""
CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const light = (...colors) => {
    for (const color of colors) {
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
    }
    const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(part => part / 255);
    const [r, g, b] = parts.map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const page = getComputedStyle(document.body).backgroundColor;
  return [...document.querySelectorAll("p, th, td, dt, dd, li, summary, a, .right, .wrong, svg text")].map(each => {
    const style = getComputedStyle(each);
    const behind = light(page, style.backgroundColor);
    const text = light(each.tagName === "text" ? style.fill : style.color);
    return [Math.max(text, behind) / Math.min(text, behind), `${each.tagName} ${each.textContent.slice(0, 30)}`];
  });
}"""


@pytest.fixture(scope="module")
def page_path(tmp_path_factory):
    """A page with everything that a page may have, and names as long as names get."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, len(CLASSES), TESTED)
    found = [np.where(rng.random(TESTED) < share, truth, rng.integers(0, 8, TESTED))[None] for share in (0.5, 0.8, 0.7)]
    ids = np.array([f"item-{number:04d}" for number in range(TESTED)])
    table = ItemTable(ids, ids, truth, rng.uniform([-5, 42], [8, 51], (TESTED, 2)), tuple(found))
    confusion = tuple(tuple(row) for row in (rng.integers(0, 9, (8, 8)) + 900 * np.eye(8, dtype=int)).tolist())
    scores = [replace(score, confusion=confusion) for score in (STATISTICS, replace(MOCO, name=LONG_NAME), SECO)]
    scores[2] = replace(scores[2], input={**INPUT, "high": [0.3, 0.4]}, details={"neighbours": neighbours(rng)})
    knn = replace(RESULT, classes=CLASSES, scores=tuple(scores), items=table)
    shares = [replace(score, details={"fraction": fraction}) for score in scores for fraction in (0.01, 0.1, 1.0)]
    linear = replace(RESULT, classes=CLASSES, protocol={"name": "linear"}, scores=tuple(shares))
    path = tmp_path_factory.mktemp("browser") / "page.html"
    write_page(path, tell_apart(rank_results([("knn.json", knn), ("linear.json", linear)])))
    return path


def neighbours(rng):
    """What a score keeps of its neighbours, of noise."""
    pictures = {f"item-{number}": encode(rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)) for number in range(6)}
    nearest = [{"id": f"item-{number}", "label": CLASSES[number], "cosine": 0.9} for number in range(1, 6)]
    items = [
        {"id": "item-0", "label": "HerbaceousVegetation", "answer": "AnnualCrop", "right": is_right, "nearest": nearest}
        for is_right in (False, True)
    ]
    return {"bands": ["B04", "B03", "B02"], "items": items, "pictures": pictures}


@pytest.fixture(scope="module")
def browser():
    """Debian's chromium; the tests are skipped where it or playwright is absent."""
    api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed", exc_type=ImportError)
    program = require_program("chromium")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=[(width, scheme) for width in WIDTHS for scheme in SCHEMES], ids=str)
def shown(request, browser, page_path):
    """The page, and what happened while it was loaded: addresses that were asked for, and lines of the console."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    asked, told = [], []
    page.on("request", lambda sent: asked.append(sent.url))
    page.on("console", lambda line: told.append(line.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(page_path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    yield page, asked, told
    context.close()


def test_no_request_leaves_and_nothing_is_wrong(shown, page_path):
    _, asked, told = shown
    assert [address for address in asked if not address.startswith("data:")] == [page_path.as_uri()]
    assert told == []


def test_nothing_is_wider_than_the_screen(shown):
    page, _, _ = shown
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate(OVERFLOWING) == []


def test_text_of_charts_is_readable_and_whole(shown):
    page, _, _ = shown
    assert page.evaluate(CUT_OFF) == []


def test_text_stands_out_from_the_page(shown):
    page, _, _ = shown
    assert [words for contrast, words in page.evaluate(CONTRAST) if contrast < LEAST_CONTRAST] == []


def test_pictures_are_shown(shown):
    page, _, _ = shown
    loaded = page.evaluate("[...document.images].map(each => each.complete && each.naturalWidth)")
    assert loaded == [64] * 12


def test_marks_are_where_the_axis_says(shown):
    page, _, _ = shown
    place = "each => { const box = each.getBoundingClientRect(); return (box.left + box.right) / 2; }"
    ticks = page.eval_on_selector_all(".scores thead svg text", f"all => all.map({place})")[:5]
    marks = page.eval_on_selector_all(".scores .value", f"all => all.map({place})")[:3]
    expected = [ticks[0] + value * (ticks[4] - ticks[0]) for value in (SECO.value, MOCO.value, STATISTICS.value)]
    assert marks == pytest.approx(expected, abs=1.5)


def test_contents_lead_to_their_sections(shown):
    page, _, _ = shown
    page.click("nav li:nth-child(2) a")
    assert page.evaluate("document.querySelector('#q2').getBoundingClientRect().top < innerHeight")


def test_sections_start_folded_but_for_the_best_map_and_pictures(browser, page_path):
    page = browser.new_page()
    page.goto(page_path.as_uri())
    opened = page.eval_on_selector_all("details[open] > summary", "all => all.map(each => each.textContent)")
    assert opened == ["Neighbours of runs/seco <2>, bands B04, B03, B02", "Map of runs/seco <2>"]
    page.close()
