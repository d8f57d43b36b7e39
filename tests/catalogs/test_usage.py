"""What is told of a command line that is not understood: of cyclopts's own errors, as the three commands raise them."""

import pytest
from cyclopts import CycloptsError

from catalogs.usage import usage_words
from curate.cli import make_app


def told(*words):
    with pytest.raises(CycloptsError) as caught:
        make_app(words)(list(words))
    return usage_words(caught.value)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--start", "2023"), "--start is '2023'; expected a day, such as 2023-06-30."),
        (("--end", "30/06/2023"), "--end is '30/06/2023'; expected a day, such as 2023-06-30."),
        (("--workers", "four"), "--workers is 'four'; expected a whole number, such as 4."),
        (("--max-cloud", "10%"), "--max-cloud is '10%'; expected a number, such as 0.5."),
        (
            ("--source", "earth-search,", "cdse"),
            "Nobody knows what to do with 'cdse'. A list has commas and no spaces: earth-search,cdse",
        ),
        (
            ("--source", "earth-search", ",cdse"),
            "Nobody knows what to do with ',cdse'. A list has commas and no spaces: earth-search,cdse",
        ),
        (
            ("more",),
            "Nobody knows what to do with 'more'. What holds a space stands in quotation marks; an option begins with --.",
        ),
        (("--source",), "--source is given without a value. Say --source SOURCE, or leave it out."),
        (("--source", "a", "--source", "b"), "--source is given twice; expected once, as it takes one value."),
    ],
)
def test_words_of_a_build_are_told_with_what_was_expected(words, expected):
    assert told("build", "folder", *words) == expected


def test_a_catalog_that_is_not_named_is_told_with_the_command():
    assert told("build", "--source", "simulated") == (
        "CATALOG is missing, and `build` needs it; `build --help` has an example."
    )


def test_what_cyclopts_says_with_a_guess_stays():
    assert told("build", "folder", "--sorce", "a") == "Unknown option: --sorce. Did you mean --source?"
    assert told("build", "folder", "--items", "jsn").startswith(
        'Invalid value "jsn" for --items. Choose from: "json", "parquet".'
    )
