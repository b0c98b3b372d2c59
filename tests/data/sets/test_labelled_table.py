"""Tables in files: columns, hashes and splits match the card; the real ones are whole."""

import os
import shutil

import numpy as np
import pytest

from batchsel import cards, data
from batchsel.errors import UserError

REAL = os.environ.get("BATCHSEL_DATA")
real = pytest.mark.skipif(not REAL, reason="BATCHSEL_DATA is not set")


@real
@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "shape", "sizes", "task"),
    [
        ("boston_housing", (13,), (304, 101, 101), "regression"),
        ("music_genre", (26,), (600, 200, 200), "classification"),
        ("iris_kaggle", (4,), (90, 30, 30), "classification"),
    ],
)
def test_real_tables_load(name, shape, sizes, task):
    dataset = data.load(cards.load("datasets", name), offline=True)
    assert dataset.input_shape == shape
    assert tuple(map(len, dataset.splits.values())) == sizes
    assert dataset.task == task
    assert len(dataset.feature_names) == shape[0]
    np.testing.assert_allclose(dataset.train.x.mean(axis=0), 0, atol=1e-5)
    if task == "classification":
        assert np.ptp(np.bincount(dataset.test.y)) <= 1


@real
@pytest.mark.data
def test_two_copies_of_iris_have_the_same_split():
    one, other = (data.load(cards.load("datasets", name)) for name in ("iris", "iris_kaggle"))
    assert one.split_fingerprint == other.split_fingerprint
    np.testing.assert_array_equal(one.train.y, other.train.y)


@real
@pytest.mark.data
def test_npz_of_boston_matches_the_table(tmp_path):
    card = cards.load("datasets", "boston_housing")
    folder = tmp_path / "boston_housing"
    folder.mkdir()
    shutil.copy(f"{REAL}/boston_housing/boston_housing.npz", folder)
    first, second = data.load(card, folder=REAL), data.load(card, folder=tmp_path)
    np.testing.assert_array_equal(first.train.x, second.train.x)
    np.testing.assert_array_equal(first.test.y, second.test.y)


@real
@pytest.mark.data
def test_rows_of_boston_are_in_the_order_of_the_file_of_keras():
    """Keras shuffles its file by seed 113 and documents what comes first; the file itself was not at hand."""
    arrays = np.load(f"{REAL}/boston_housing/boston_housing.npz")
    order = np.arange(506)
    np.random.RandomState(113).shuffle(order)
    assert arrays["y"][order[:8]].tolist() == [15.2, 42.3, 50.0, 21.1, 17.7, 18.5, 11.3, 15.6]
    assert arrays["x"][order[0]].tolist() == [
        1.23247, 0, 8.14, 0, 0.538, 6.142, 91.7, 3.9769, 4, 307, 21, 396.9, 18.72,
    ]  # fmt: skip


def test_table_with_other_content_raises(tmp_path):
    card = cards.load("datasets", "iris_kaggle")
    folder = tmp_path / "iris"
    folder.mkdir()
    with pytest.raises(UserError, match="iris_kaggle is not in .*Expected Iris.csv. Put Iris.csv there"):
        data.load(card, folder=tmp_path)
    rows = [f"{i},{i % 7}.5,1,2,3,Iris-{card.class_names[i % 3]}" for i in range(150)]
    text = "Id,SepalLengthCm,SepalWidthCm,PetalLengthCm,PetalWidthCm,Species\n" + "\n".join(rows) + "\n"
    (folder / "Iris.csv").write_text(text)
    with pytest.raises(UserError, match="the content differs from the card: x has SHA-256"):
        data.load(card, folder=tmp_path)
    (folder / "Iris.csv").write_text(text.replace("Iris-virginica", "Iris-other"))
    with pytest.raises(UserError, match="the labels 'Iris-other' are none of Iris-setosa"):
        data.load(card, folder=tmp_path)
    (folder / "Iris.csv").write_text(text.replace("1.5", "long"))
    with pytest.raises(UserError, match="column SepalLengthCm: 'long' in row 1 is not a number"):
        data.load(card, folder=tmp_path)
