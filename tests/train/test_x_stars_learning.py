"""What X-STARS' alignment is for: ground that two sensors show in colours of their own is found, where it was never seen."""

import csv

import numpy as np
import pytest

from tests.train.grounds import LANDSAT, SENTINEL, align_config, make_ground_catalog, positions
from tests.train.trainings import runtime
from train.config import Alignment
from train.loop import fit
from train.prepare import prepare_training
from train.run_folder import write_record

TRAINED, HELD_OUT = 24, 16
CHANCE = 1 / HELD_OUT


def hills(sensor, place, _date, pixels):
    """Paint: two maps of waves, other ones at each place. Landsat has Sentinel-2's red in green, its green inverted in red."""
    south, east = positions(sensor, place, 0, pixels)
    rng = np.random.default_rng(place)
    down, along, phase = rng.uniform((4, 4, 0), (18, 18, 6), (2, 3, 3)).transpose(2, 0, 1)[..., None, None]
    one, other = np.sin(down * south + along * east + phase).mean(1)
    bands = (one, other) if sensor == SENTINEL else (-other, one)
    return np.stack([0.4 + 0.3 * band for band in bands]).astype(np.float32)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalog") / "hills"
    return make_ground_catalog(
        folder, hills, count=TRAINED + HELD_OUT, held_out=HELD_OUT, sensors=(LANDSAT, SENTINEL), side_m=960
    )


def learn(catalog, run, weight):
    """Train 15 steps; shares of tokens that were found before the first and after the last, by column of `metrics.csv`."""
    config = align_config(batch_size=8, epochs=5, alignment=Alignment(dim=32, dropout=0.0, size_px=64, weight=weight))
    training = prepare_training(config, str(catalog))
    write_record(run, training.record)
    assert fit(training, run, runtime()).steps == 15
    with (run / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row[f"retrieval/embeddings/{LANDSAT}/{SENTINEL}"]]
    return [{name: float(row[name]) for name in row if name.startswith("retrieval")} for row in (rows[0], rows[-1])]


@pytest.mark.slow
def test_aligned_sensors_find_the_ground_of_one_another_at_places_never_trained_on(catalog, tmp_path):
    """With the same seed, and the same DINO beside it, nothing is found without the alignment."""
    (drawn, without), (begun, aligned) = (learn(catalog, tmp_path / f"{weight}", weight) for weight in (0.0, 1.0))
    assert drawn == begun, "the weight tells nothing of where it begins"
    for pair in (f"{LANDSAT}/{SENTINEL}", f"{SENTINEL}/{LANDSAT}"):
        for measure in ("retrieval", "retrieval_within"):
            column = f"{measure}/embeddings/{pair}"
            assert drawn[column] < 3 * CHANCE
            assert without[column] < 4 * CHANCE
            assert aligned[column] > 0.9
