"""QMNIST: labels of eight numbers, the first of which is the digit."""

import dataclasses
import gzip
import hashlib

import numpy as np
import pytest
from data_files import digit_arrays, idx_bytes

from batchsel import cards, data
from batchsel.data.verification import compare_files
from batchsel.errors import UserError

ARRAYS = digit_arrays(train=50, test=60)
NAMES = {"x_train": "train-images-idx3-ubyte", "y_train": "train-labels-idx2-int"}
NAMES |= {name.replace("train", "test"): file.replace("train", "test") for name, file in NAMES.items()}


@pytest.mark.parametrize("packed", [True, False])
def test_official_files_load(tmp_path, packed):
    card = cards.load("datasets", "qmnist")
    card = dataclasses.replace(card, sizes=dataclasses.replace(card.sizes, train=40, validation=10, test=60))
    folder = tmp_path / "qmnist"
    folder.mkdir()
    with pytest.raises(UserError, match="Expected the four files qmnist-train-images-idx3-ubyte"):
        data.load(card, folder=tmp_path, offline=True)
    for name, file in NAMES.items():
        array = ARRAYS[name]
        if name[0] == "y":
            others = np.random.default_rng(0).integers(-5, 4000, (len(array), 7))
            array = np.concatenate([array[:, None], others], axis=1).astype(np.int32)
        raw = idx_bytes(array)
        path = folder / f"qmnist-{file}{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(raw) if packed else raw)
    dataset = data.load(card, folder=tmp_path, offline=True)
    np.testing.assert_array_equal(dataset.test.x[..., 0], ARRAYS["x_test"])
    np.testing.assert_array_equal(dataset.test.y, ARRAYS["y_test"])
    assert len(dataset.train) == 40
    assert data.find(card, folder=tmp_path) == "idx files"


def test_files_are_compared_with_the_published_md5(tmp_path):
    """Labels of the training part in place of those of the test part have the right number and form."""
    card = cards.load("datasets", "qmnist")
    labels = gzip.compress(b"labels", mtime=0)
    files = [
        dataclasses.replace(file, md5=hashlib.md5(labels).hexdigest() if "train" in file.name else "0" * 32)
        for file in card.files
    ]
    (tmp_path / files[1].name).write_bytes(labels)
    (tmp_path / files[3].name).write_bytes(labels)
    states = compare_files(dataclasses.replace(card, files=tuple(files)), data.DataFolder(tmp_path))
    assert list(states.values()) == ["missing", "right", "missing", "different"]
