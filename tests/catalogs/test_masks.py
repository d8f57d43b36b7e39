"""What masks say, against a table written by hand and a plain loop over bits."""

import numpy as np
import pytest

from catalogs.errors import ContractError
from catalogs.masks import is_clear, mask_shares


def test_scl_classes_are_clear_as_the_contract_says():
    clear = {number for number in range(12) if is_clear(np.array([number]), "scl")[0]}
    assert clear == {2, 4, 5, 6, 7, 11}


def test_qa_bits_are_clear_as_a_loop_says():
    values = np.random.default_rng(0).integers(0, 2**16, 500).astype("uint16")
    plain = [not any(int(value) >> bit & 1 for bit in (0, 1, 2, 3, 4)) for value in values]
    assert is_clear(values, "qa_pixel").tolist() == plain
    assert mask_shares(values, "qa_pixel").snow == pytest.approx(100 * np.mean([int(value) >> 5 & 1 for value in values]))


def test_landsat_fill_is_not_clear():
    assert not is_clear(np.array([1], "uint16"), "qa_pixel")[0]
    assert is_clear(np.array([21824], "uint16"), "qa_pixel")[0]


def test_another_mask_is_refused():
    with pytest.raises(ContractError, match=r"Unknown mask 'fmask'. Expected scl or qa_pixel"):
        mask_shares(np.zeros((2, 2), int), "fmask")
