"""The MNIST family: the same content in four containers, and errors for damaged and for other content."""

import dataclasses
import gzip
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from data_files import IDX_NAMES, Server, digit_arrays, idx_bytes, sha256, write_digit_card, write_idx_files

from batchsel import cards, data
from batchsel.errors import UserError

ARRAYS = digit_arrays()
REAL = os.environ.get("BATCHSEL_DATA")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the data folder in a working directory with its own card."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCHSEL_DATA", str(tmp_path / "data"))
    write_digit_card(tmp_path, ARRAYS)
    (tmp_path / "data" / "tiny").mkdir(parents=True)
    return tmp_path / "data" / "tiny"


def load(**options):
    return data.load(cards.load("datasets", "tiny"), offline=True, **options)


def write_npz(folder, arrays=ARRAYS):
    np.savez(folder / "tiny.npz", **arrays)


def assert_whole(dataset):
    assert dataset.train.x.shape == (40, 28, 28, 1)
    assert dataset.train.x.dtype == np.uint8
    assert dataset.train.y.dtype == np.int32
    np.testing.assert_array_equal(dataset.test.x[..., 0], ARRAYS["x_test"])
    np.testing.assert_array_equal(dataset.test.y, ARRAYS["y_test"])
    both = {image.tobytes() for split in (dataset.train, dataset.validation) for image in split.x}
    assert both == {image.tobytes() for image in ARRAYS["x_train"]}
    np.testing.assert_array_equal(np.bincount(dataset.validation.y), np.ones(10))


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_load(folder, packed):
    write_idx_files(folder, ARRAYS, packed=packed)
    assert_whole(load())
    assert data.find(cards.load("datasets", "tiny")) == "idx files"


def test_idx_files_with_dots_in_their_names_load(folder):
    write_idx_files(folder, ARRAYS, packed=False)
    for path in folder.iterdir():
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert_whole(load())


def test_fashion_mnist_is_read_from_a_package_of_the_system_where_the_data_folder_has_none(
    folder, tmp_path, monkeypatch
):
    packaged = tmp_path / "share"
    packaged.mkdir()
    monkeypatch.setattr("batchsel.data.sets.fashion_mnist.PACKAGED", packaged)
    card = dataclasses.replace(cards.load("datasets", "tiny"), name="fashion_mnist", loader="fashion_mnist")
    with pytest.raises(UserError, match="fashion_mnist is not in .*tiny"):
        data.load(card, offline=True)
    write_idx_files(packaged, ARRAYS, packed=True)
    assert data.find(card) == "idx files of a Debian package"
    assert_whole(data.load(card, offline=True))
    write_idx_files(folder, ARRAYS, packed=False)  # one's own come first
    assert data.find(card) == "idx files"


def test_npz_file_loads(folder):
    write_npz(folder)
    assert_whole(load())
    assert data.find(cards.load("datasets", "tiny")) == "npz file"


def test_all_containers_have_the_same_split(folder):
    write_npz(folder)
    first = load(seed=3)
    (folder / "tiny.npz").unlink()
    write_idx_files(folder, ARRAYS, packed=True)
    second = load(seed=3)
    assert first.split_fingerprint == second.split_fingerprint
    np.testing.assert_array_equal(first.validation.x, second.validation.x)
    assert load(seed=4).split_fingerprint != first.split_fingerprint


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("form", "inner"), [("tfrecord", ""), ("array_record", "tiny")])
def test_files_prepared_by_tfds_load(folder, form, inner, tmp_path):
    # In a process of its own: TensorFlow Datasets registers builders for good, and warns in many ways.
    script = Path(__file__).parents[2].joinpath("helpers", "prepare_with_tfds.py")
    subprocess.run([sys.executable, script, form, tmp_path / "prepared"], check=True, capture_output=True)
    shutil.copytree(tmp_path / "prepared" / "tiny", folder / inner, dirs_exist_ok=True)
    assert data.find(cards.load("datasets", "tiny")) == "files prepared by tfds"
    assert_whole(load())
    write_npz(folder)
    assert load().split_fingerprint == data.load(cards.load("datasets", "tiny"), folder=folder.parent).split_fingerprint
    (folder / "tiny.npz").unlink()
    next(folder.rglob("*train*-of-*")).write_bytes(b"damaged")
    with pytest.raises(UserError, match="cannot be read as files prepared by TensorFlow Datasets"):
        load()


def test_missing_data_name_every_form(folder):
    with pytest.raises(UserError) as caught:
        load()
    for words in (f"tiny is not in {folder}", "four idx files", "tiny.npz", "TensorFlow Datasets", "--data-dir"):
        assert words in str(caught.value)
    assert list(folder.iterdir()) == []


def test_missing_files_are_downloaded(folder, tmp_path):
    server = Server()
    try:
        files = []
        for name, array in ARRAYS.items():
            body = gzip.compress(idx_bytes(array))
            file = f"{IDX_NAMES[name]}.gz"
            urls = [server.url(f"/gone/{file}"), server.add(f"/{file}", body)]
            files.append({"name": file, "sha256": sha256(body), "urls": urls})
        write_digit_card(tmp_path, ARRAYS, files=files)
        card = cards.load("datasets", "tiny")
        assert data.find(card) is None
        assert_whole(data.load(card))
        assert len(server.asked) == 8
        assert data.download(card) == "idx files"
        assert_whole(data.load(card, offline=True))
        assert len(server.asked) == 8
    finally:
        server.close()


def test_container_with_other_content_raises(folder):
    arrays = ARRAYS | {"x_train": ARRAYS["x_train"] ^ 1}
    write_npz(folder, arrays)
    with pytest.raises(UserError, match=r"tiny \(npz file in .*\): the content differs from the card: x_train has SHA"):
        load()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"y_train": np.full(50, 10, np.uint8)}, "y_train has the label 10 in row 0. Expected 0 to 9"),
        ({"y_train": ARRAYS["y_train"][:-1]}, r"y_train is uint8\[49\]. Expected uint8\[50\]"),
        ({"x_train": ARRAYS["x_train"][:, :14]}, r"x_train is uint8\[50, 14, 28\]. Expected uint8\[50, 28, 28, 1\]"),
        ({"x_train": ARRAYS["x_train"] / 255}, r"x_train is float64\[50, 28, 28\]. Expected uint8"),
        ({"y_test": -ARRAYS["y_test"].astype(np.int64)}, r"y_test is int64\[20\]. Expected uint8\[20\]"),
    ],
)
def test_impossible_arrays_raise(folder, changed, sentence):
    write_npz(folder, ARRAYS | changed)
    with pytest.raises(UserError, match=sentence):
        load()


def test_swapped_train_and_test_files_raise(folder):
    write_idx_files(folder, ARRAYS | {"x_train": ARRAYS["x_test"], "x_test": ARRAYS["x_train"]}, packed=False)
    with pytest.raises(UserError, match=r"x_train is uint8\[20, 28, 28\]\. Expected uint8\[50, 28, 28, 1\]"):
        load()


def test_damaged_file_is_named_and_stays(folder):
    write_idx_files(folder, ARRAYS, packed=True)
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError, match=r"t10k-images-idx3-ubyte\.gz is not a whole idx file"):
        load()
    assert path.stat().st_size == 500


def test_npz_with_pickled_code_raises(folder):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (folder / "executed",))

    write_npz(folder, ARRAYS | {"y_test": np.array([Trap()], object)})
    with pytest.raises(UserError, match=r"tiny\.npz is not a whole npz file"):
        load()
    assert not (folder / "executed").exists()


@pytest.mark.parametrize("damage", ["cut", "no zip", "array missing"])
def test_damaged_npz_raises(folder, damage):
    write_npz(folder, {name: ARRAYS[name] for name in ("x_train", "y_train")} if damage[0] == "a" else ARRAYS)
    path = folder / "tiny.npz"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:2000])
    if damage == "no zip":
        path.write_bytes(b"<html>404</html>")
    with pytest.raises(UserError, match=r"tiny\.npz is not a whole npz file with the arrays x_train, y_train"):
        load()


@pytest.mark.data
@pytest.mark.skipif(not REAL, reason="BATCHSEL_DATA is not set")
@pytest.mark.parametrize(("name", "mean"), [("fashion_mnist", 0.28604), ("mnist", 0.13066)])
def test_real_files_load(name, mean):
    card = cards.load("datasets", name)
    start = time.process_time()
    dataset = data.load(card, offline=True)
    assert time.process_time() - start < 1.5
    assert tuple(map(len, dataset.splits.values())) == (55_000, 5_000, 10_000)
    total = sum(split.x.sum(dtype=np.int64) for split in (dataset.train, dataset.validation))
    assert total / (60_000 * 784 * 255) == pytest.approx(mean, abs=1e-5)
    np.testing.assert_allclose(np.bincount(dataset.validation.y), np.bincount(dataset.train.y) / 11, atol=1)
    assert dataset.split_fingerprint == card.content["split"]
    assert data.load(card, seed=1, offline=True).split_fingerprint != dataset.split_fingerprint
