"""`batchsel datasets convert`: what is written is the data, to the last bit and in the order of the files."""

import csv
import gzip
import json

import numpy as np
import pytest
from command_line import CommandLine
from data_files import card_values, digit_arrays, full_disk, write_card, write_digit_card, write_idx_files
from sklearn.datasets import load_iris

from batchsel import cards, data
from batchsel.data import Dataset, Split
from batchsel.data.convert import convert, official_arrays
from batchsel.data.variants.corruption import make_imbalanced
from batchsel.errors import UserError

ARRAYS = digit_arrays()
TWEETS = [("4", 'so "good", really'), ("0", "bad;\nall of it"), ("4", "güt"), ("0", "awful, awful"), ("4", "fine")] * 4


@pytest.fixture
def command(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCHSEL_DATA", str(tmp_path / "data"))
    return CommandLine(monkeypatch, capfd)


def write_tweets(folder):
    """A text set of ours: 20 rows to train on, 5 to test on."""
    rows = {"train": TWEETS, "test": TWEETS[:5]}
    for part, held in rows.items():
        path = folder / "data" / "tweets" / f"{part}.csv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("target", "text"), *held])
    options = {
        "train": ["train.csv.gz"], "test": ["test.csv.gz"], "label": "target", "text": "text", "labels": ["0", "4"],
        "words": 50,
    }  # fmt: skip
    sizes = {"train": 15, "validation": 5, "test": 5}
    changes = {"loader": "labelled_texts", "input_shape": [6], "class_names": ["bad", "good"], "sizes": sizes}
    write_card(folder, card_values("tweets", options=options, **changes))


def numbers(path):
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return header, np.array(rows, np.int64)


def test_images_become_label_and_pixel_columns(command, tmp_path):
    write_digit_card(tmp_path, ARRAYS)
    write_idx_files(tmp_path / "data" / "tiny", ARRAYS, packed=True)
    done = command("datasets", "convert", "tiny", "--to", "csv", "--out", "here/there")
    assert done.code == 0, done.err
    assert "writing here/there/train.csv: 50 rows" in done.err
    assert done.out.startswith("here/there/train.csv: ")
    for part in ("train", "test"):
        header, table = numbers(tmp_path / "here" / "there" / f"{part}.csv")
        assert header == ["label", *(f"pixel{place}" for place in range(784))]
        np.testing.assert_array_equal(table[:, 0], ARRAYS[f"y_{part}"])
        np.testing.assert_array_equal(table[:, 1:].reshape(-1, 28, 28), ARRAYS[f"x_{part}"])


def test_npz_of_an_image_set_can_be_loaded_again(command, tmp_path):
    write_digit_card(tmp_path, ARRAYS)
    write_idx_files(tmp_path / "data" / "tiny", ARRAYS, packed=False)
    done = command("datasets", "convert", "tiny", "--to", "npz", "--out", "again/tiny", "--json")
    assert json.loads(done.out)["files"] == {"tiny.npz": (tmp_path / "again/tiny/tiny.npz").stat().st_size}
    with np.load(tmp_path / "again/tiny/tiny.npz") as arrays:
        assert set(arrays) == set(ARRAYS)
        for name, array in ARRAYS.items():
            assert arrays[name].dtype == np.uint8
            np.testing.assert_array_equal(arrays[name], array)
    verified = command("datasets", "verify", "tiny", "--data-dir", "again")
    assert "npz file; checked: SHA-256 of x_test" in verified.out


def test_color_images_are_written_pixel_by_pixel(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (6, 2, 3, 3), np.uint8)
    part = Split(x, np.arange(6, dtype=np.int32) % 2)
    dataset = Dataset("mine", "classification", part, part, part, ("no", "yes"))
    _, valid, test = convert(dataset, "csv", tmp_path)
    assert valid.name == "valid.csv"
    _, table = numbers(test)
    np.testing.assert_array_equal(table[:, 1:].reshape(x.shape), x)
    (made,) = convert(dataset, "npz", tmp_path)
    with np.load(made) as arrays:
        np.testing.assert_array_equal(arrays["x_train"], x)
        np.testing.assert_array_equal(arrays["x_valid"], x)


def test_a_table_is_not_scaled_and_can_be_trained_on(command, tmp_path):
    assert command("datasets", "convert", "iris", "--to", "csv").code == 0
    held = load_iris()
    with open(tmp_path / "iris" / "train.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["label", *held.feature_names]
    test = data.load(cards.load("datasets", "iris")).rows.test
    rest = np.setdiff1d(np.arange(150), test)
    assert [row[0] for row in rows] == held.target_names[held.target[rest]].tolist()
    np.testing.assert_array_equal(np.array([row[1:] for row in rows], float), held.data[rest])
    words = "run --dataset ./iris/train.csv --label label --target accuracy>=0.8 --progress off --json"
    done = command(*words.split())
    assert done.code == 0, done.err
    record = json.loads(done.out)
    assert sum(record["sizes"].values()) == 120
    assert "label: label, 3 classes" in done.err


@pytest.mark.parametrize("name", ["digits", "spirals"])
def test_every_digit_of_a_table_is_kept(name, tmp_path):
    dataset = data.load(cards.load("datasets", name))
    for path, part in zip(convert(dataset, "csv", tmp_path), ("train", "test"), strict=True):
        x, _ = official_arrays(dataset, part)
        with open(path, newline="") as file:
            _, *rows = csv.reader(file)
        np.testing.assert_array_equal(np.array([row[1:] for row in rows]).astype(x.dtype), x)
    (made,) = convert(dataset, "npz", tmp_path)
    with np.load(made) as arrays:
        np.testing.assert_array_equal(arrays["x_train"], official_arrays(dataset, "train")[0])
        assert arrays["y_test"].tolist() == dataset.test.y.tolist()


def test_csv_has_texts_and_npz_has_word_numbers(command, tmp_path):
    write_tweets(tmp_path)
    for form in ("csv", "npz"):
        done = command("datasets", "convert", "tweets", "--to", form, "--out", "out")
        assert done.code == 0, done.err
    with open(tmp_path / "out" / "train.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    named = [({"0": "bad", "4": "good"}[label], text) for label, text in TWEETS]
    assert rows == [["label", "text"], *map(list, named)]
    with np.load(tmp_path / "out" / "tweets.npz") as arrays:
        words = ["", "?", *arrays["vocabulary"].tolist()]
        spoken = [" ".join(filter(None, (words[number] for number in row))) for row in arrays["x_train"]]
    assert spoken[:2] == ["so good really", "bad all of it"]
    assert len(spoken) == 20


def test_files_are_replaced_only_with_force(command, tmp_path):
    assert command("datasets", "convert", "wine", "--to", "npz", "--out", ".").code == 0
    (tmp_path / "wine.npz").write_text("mine")
    done = command("datasets", "convert", "wine", "--to", "npz", "--out", ".")
    assert done.code == 1
    assert "already there: wine.npz. Give --force to replace" in done.err
    assert (tmp_path / "wine.npz").read_text() == "mine"
    assert command("datasets", "convert", "wine", "--to", "npz", "--out", ".", "--force").code == 0
    assert (tmp_path / "wine.npz").read_bytes().startswith(b"PK")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["wine", "--to", "csc"], "unknown format 'csc'. Did you mean 'csv'? Known: csv, npz."),
        (["wien", "--to", "csv"], "Did you mean 'wine'"),
        (["wine"], "Missing option '--to'"),
    ],
)
def test_wrong_usage_is_reported_before_anything_is_written(command, tmp_path, words, said):
    done = command("datasets", "convert", *words)
    assert done.code == 2
    assert said in done.err
    assert not list(tmp_path.iterdir())


def test_full_disk_leaves_no_partial_file(tmp_path):
    dataset = data.load(cards.load("datasets", "digits"))
    old = convert(dataset, "csv", tmp_path)[1].read_bytes()
    (tmp_path / "train.csv").unlink()
    # The test part fits, the training part does not.
    with full_disk(100_000), pytest.raises(UserError, match=r"cannot write .*train\.csv: .*has space"):
        convert(dataset, "csv", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["test.csv"]
    assert (tmp_path / "test.csv").read_bytes() == old


def test_ambiguous_names_are_rejected(tmp_path):
    part = Split(np.zeros((3, 2), np.float32), np.array([0, 1, 0], np.int32))
    dataset = Dataset("mine", "classification", part, part, part, ("no", "yes"), feature_names=("label", "size"))
    with pytest.raises(UserError, match="mine: the features label, size need distinct names other than 'label'"):
        convert(dataset, "csv", tmp_path)
    assert not list(tmp_path.iterdir())


def test_imbalanced_data_keep_the_indices_of_their_rows():
    dataset = data.load(cards.load("datasets", "iris"))
    rare = make_imbalanced(dataset, 10.0)
    every = load_iris().data
    for name in ("train", "test"):
        np.testing.assert_array_equal(rare.raw_inputs(name), every[getattr(rare.rows, name)])
        assert len(rare.raw_inputs(name)) == len(rare.splits[name])
