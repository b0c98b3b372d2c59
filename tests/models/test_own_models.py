"""Models of the user's own: which function builds one, and whether its embeddings have room for all words."""

import keras
import numpy as np
import pytest

from batchsel import models
from batchsel.errors import UsageError
from batchsel.models.building import build_initialized, check_vocabulary

CODE = """
import keras
from keras import layers


class Lookup(layers.Layer):
    def __init__(self, buckets=None):
        super().__init__()
        self.table, self.buckets = layers.Embedding(50, 4), buckets

    def call(self, words):
        return self.table(words % self.buckets if self.buckets else words)


def stack(input_shape, outputs, *bottom):
    return keras.Sequential([keras.Input(input_shape, dtype="int32"), *bottom, layers.Dense(outputs)])


def nested(input_shape, outputs):
    inner = keras.Sequential([layers.Embedding(50, 4), layers.GlobalAveragePooling1D()])
    return stack(input_shape, outputs, inner)


def layer(input_shape, outputs):
    return stack(input_shape, outputs, Lookup(), layers.GlobalAveragePooling1D())


def hashed(input_shape, outputs):
    return stack(input_shape, outputs, Lookup(50), layers.GlobalAveragePooling1D())


def of_a_dataset(dataset):
    return stack(dataset.input_shape, dataset.outputs)


def with_a_width(input_shape, outputs, width=8, **options):
    return stack(input_shape, outputs, layers.Dense(width))
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


@pytest.mark.parametrize("name", ["nested", "layer"])
def test_embeddings_within_layers_are_compared_with_the_words_of_the_data(file, name):
    text = f"{file}:{name}"
    model = build_initialized(text, (6,), 2)
    with pytest.raises(UsageError, match=f"{name}' knows 50 words, and the data have 51"):
        check_vocabulary(text, model, (6,), 51)
    check_vocabulary(text, model, (6,), 50)
    assert model(np.full((1, 6), 49)).shape == (1, 2)  # the last word has a row


def test_a_model_that_hashes_words_needs_no_room_for_all_of_them(file):
    text = f"{file}:hashed"
    check_vocabulary(text, build_initialized(text, (6,), 2), (6,), 1000)


def test_a_function_of_something_else_is_told_what_a_model_is_a_function_of(file):
    with pytest.raises(UsageError, match=r"of_a_dataset takes \(dataset\)\. A model is a function build\(input_shape"):
        models.build(f"{file}:of_a_dataset", (6,), 2)
    with pytest.raises(UsageError, match="unknown parameter of layer .wide."):
        models.build(f"{file}:layer(wide=3)", (6,), 2)
    assert isinstance(models.build(f"{file}:with_a_width(width=3)", (6,), 2), keras.Model)
