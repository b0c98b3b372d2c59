"""`batchsel.data.load` takes the name of a data set."""

import numpy as np
import pytest

import batchsel
from batchsel import UserError, cards


def test_a_name_loads_what_its_card_loads():
    by_name, by_card = batchsel.data.load("iris"), batchsel.data.load(cards.load("datasets", "iris"))
    np.testing.assert_array_equal(by_name.train.x, by_card.train.x)
    assert len(batchsel.data.load("iris", seed=3).train) == 90


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'iris'"):
        batchsel.data.load("irsi")
