"""Sets of TensorFlow Datasets by name, prepared on disk in either format."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import CommandLine
from data_files import digit_arrays

from batchsel import data
from batchsel.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ARRAYS = digit_arrays()


@pytest.fixture(scope="module", params=["array_record", "tfrecord"])
def prepared(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    script = Path(__file__).parents[2].joinpath("helpers", "prepare_with_tfds.py")
    subprocess.run([sys.executable, script, request.param, folder], check=True, capture_output=True)
    return folder


def load(folder, seed=0):
    return data.load("tfds:tiny", seed, folder=folder, offline=True)


def sorted_rows(x):
    return np.array(sorted(row.tobytes() for row in x))


def test_prepared_set_is_split_and_whole(prepared):
    dataset = load(prepared)
    assert [len(split) for split in dataset.splits.values()] == [45, 5, 20]
    assert dataset.class_names == tuple("0123456789")
    assert dataset.input_shape == (28, 28, 1)
    everything = np.concatenate([dataset.train.x, dataset.validation.x])
    np.testing.assert_array_equal(sorted_rows(everything), sorted_rows(ARRAYS["x_train"]))
    np.testing.assert_array_equal(sorted_rows(dataset.test.x), sorted_rows(ARRAYS["x_test"]))
    label = {x.tobytes(): y for x, y in zip(ARRAYS["x_train"], ARRAYS["y_train"], strict=True)}
    assert [label[x.tobytes()] for x in dataset.train.x] == dataset.train.y.tolist()
    assert load(prepared).split_fingerprint == dataset.split_fingerprint
    assert load(prepared, seed=1).split_fingerprint != dataset.split_fingerprint


def test_large_set_is_read_on_access(prepared, monkeypatch):
    resident = load(prepared)
    monkeypatch.setattr("batchsel.data.dataset.MEMORY_LIMIT", 1000)
    streamed = load(prepared)
    assert not isinstance(streamed.train, data.Split)
    x, y = streamed.train.take(np.arange(45))
    np.testing.assert_array_equal(x, resident.train.x)
    np.testing.assert_array_equal(y, resident.train.y)


def test_run_by_name(prepared, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    command = CommandLine(monkeypatch, capfd)
    words = f"run --dataset tfds:tiny --data-dir {prepared} --model mlp --budget 2 --target accuracy>=0.01 --offline"
    result = command(*words.split())
    assert result.code == 0, result.err
    assert "accuracy>=0.01 reached" in result.out


def test_images_of_several_sizes_are_scaled_to_one(prepared, monkeypatch):
    dataset = data.load("tfds:sizes", folder=prepared, offline=True)
    assert dataset.input_shape == (64, 64, 3)
    assert [len(split) for split in dataset.splits.values()] == [42, 6, 12]
    for split in dataset.splits.values():
        np.testing.assert_array_equal(split.x[:, 30, 30, 0] >= 200, split.y == 1)
    monkeypatch.setattr("batchsel.data.dataset.MEMORY_LIMIT", 1000)
    small = data.load("tfds:sizes:size=16", folder=prepared, offline=True)
    assert small.input_shape == (16, 16, 3)
    assert not isinstance(small.train, data.Split)
    x, y = small.train.take(np.arange(42))
    np.testing.assert_array_equal(x[:, 8, 8, 0], dataset.train.x[:, 30, 30, 0])
    np.testing.assert_array_equal(y, dataset.train.y)


def test_texts_are_encoded_by_words_of_the_training_split(prepared):
    dataset = data.load("tfds:moods", folder=prepared, offline=True)
    assert [len(split) for split in dataset.splits.values()] == [54, 6, 20]
    assert dataset.class_names == ("sad", "glad")
    number = {word: place + 2 for place, word in enumerate(dataset.encoder.vocabulary)}
    np.testing.assert_array_equal(dataset.test.x[:, 0] == number["good"], dataset.test.y == 1)


@pytest.mark.parametrize("what", ["dataset_info.json", "features.json", "*-train.*-of-*"])
def test_damaged_sets_are_refused(prepared, tmp_path, what):
    shutil.copytree(Path(prepared) / "tiny", tmp_path / "tiny")
    path = next((tmp_path / "tiny").rglob(what))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="cannot be read as files prepared|cannot make 'tiny'|not prepared"):
        data.load("tfds:tiny", folder=tmp_path, offline=True)


def test_missing_sets_raise(tmp_path):
    with pytest.raises(UserError, match="has no set 'no_such_set'"):
        data.load("tfds:no_such_set", folder=tmp_path, offline=True)
    with pytest.raises(UserError, match="mnist is not prepared in .* and --offline forbids downloading it"):
        data.load("tfds:mnist", folder=tmp_path, offline=True)
