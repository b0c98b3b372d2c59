"""CIFAR: the same content in five containers, errors for damage, and only arrays from pickles."""

import dataclasses
import io
import os
import pickle
import tarfile
import time

import numpy as np
import pytest
from PIL import Image

from batchsel import cards, data
from batchsel.data.sets.cifar import long_tail_rows, split_long_tail
from batchsel.errors import UserError

PER_BATCH, TEST = 20, 10
FORMS = ["binary folder", "binary archive", "python folder", "python archive"]


def images(n, seed):
    """Return images of few colors, which JPEG changes little."""
    small = np.random.default_rng(seed).integers(0, 256, (n, 2, 2, 3))
    return np.kron(small, np.ones((1, 16, 16, 1))).astype(np.uint8)


TRAIN, TRAIN_LABELS = images(5 * PER_BATCH, 0), np.arange(5 * PER_BATCH) % 10
TESTS, TEST_LABELS = images(TEST, 1), np.arange(TEST)


@pytest.fixture
def card(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    card = cards.load("datasets", "cifar10")
    return dataclasses.replace(
        card, sizes=dataclasses.replace(card.sizes, train=80, validation=20, test=10), content={}
    )


def batches(form):
    """Return the files of an official form by name."""
    splits = [(f"data_batch_{place + 1}", slice(place * PER_BATCH, (place + 1) * PER_BATCH)) for place in range(5)]
    held = [(name, TRAIN[rows], TRAIN_LABELS[rows]) for name, rows in splits] + [("test_batch", TESTS, TEST_LABELS)]
    found = {}
    for name, x, y in held:
        rows = np.ascontiguousarray(x.transpose(0, 3, 1, 2)).reshape(len(x), -1)
        if form == "binary":
            found[f"{name}.bin"] = np.concatenate([y[:, None].astype(np.uint8), rows], axis=1).tobytes()
        else:
            found[name] = pickle.dumps({b"data": rows, b"labels": y.tolist()}, protocol=2)
    return found


def write(folder, form):
    folder.mkdir(parents=True, exist_ok=True)
    kind, place = form.split()
    files = batches(kind)
    inner = "cifar-10-batches-bin" if kind == "binary" else "cifar-10-batches-py"
    if place == "folder":
        (folder / inner).mkdir()
        for name, raw in files.items():
            (folder / inner / name).write_bytes(raw)
        return
    with tarfile.open(folder / f"cifar-10-{kind}.tar.gz", "w:gz") as archive:
        for name, raw in {**files, "../../outside": b"no"}.items():
            info = tarfile.TarInfo(f"{inner}/{name}")
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))


def assert_whole(dataset):
    assert dataset.train.x.shape == (80, 32, 32, 3)
    np.testing.assert_array_equal(dataset.test.x, TESTS)
    np.testing.assert_array_equal(dataset.test.y, TEST_LABELS)
    both = {image.tobytes() for split in (dataset.train, dataset.validation) for image in split.x}
    assert both == {image.tobytes() for image in TRAIN}
    np.testing.assert_array_equal(np.bincount(dataset.validation.y), np.full(10, 2))


@pytest.mark.parametrize("form", FORMS)
def test_every_official_form_loads_the_same_data(card, tmp_path, form):
    write(tmp_path / "cifar10", form)
    assert_whole(data.load(card, folder=tmp_path, offline=True))
    assert data.find(card, folder=tmp_path) == form.capitalize().replace("folder", "files").replace("Binary", "binary")
    assert not (tmp_path / "outside").exists()


def write_jpeg(folder, broken=None):
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for split, x, y in (("train", TRAIN, TRAIN_LABELS), ("test", TESTS, TEST_LABELS)):
        streams = []
        for image in x:
            held = io.BytesIO()
            Image.fromarray(image).save(held, "JPEG", quality=95, subsampling=0)
            streams.append(held.getvalue())
        if broken is not None and split == "train":
            streams[broken] = b"no image"
        arrays[f"jpeg_{split}"] = np.frombuffer(b"".join(streams), np.uint8)
        arrays[f"offsets_{split}"] = np.cumsum([0, *map(len, streams)])
        arrays[f"y_{split}"] = y.astype(np.uint8)
    np.savez(folder / "cifar10_jpeg.npz", **arrays)


def test_jpeg_streams_are_decoded_once(card, tmp_path):
    write_jpeg(tmp_path / "cifar10")
    dataset = data.load(card, folder=tmp_path, offline=True)
    assert np.abs(dataset.test.x.astype(int) - TESTS).mean() < 5
    assert data.find(card, folder=tmp_path) == "JPEG streams, lossy"
    kept = list((tmp_path / "cache").rglob("*.npz"))
    assert len(kept) == 2
    for path in kept:
        os.utime(path, (0, 0))
    again = data.load(card, folder=tmp_path, offline=True)
    np.testing.assert_array_equal(again.train.x, dataset.train.x)
    assert all(path.stat().st_mtime == 0 for path in kept)
    kept[0].write_bytes(b"damaged")
    np.testing.assert_array_equal(data.load(card, folder=tmp_path, offline=True).train.x, dataset.train.x)


def test_broken_image_is_named(card, tmp_path):
    write_jpeg(tmp_path / "cifar10", broken=7)
    with pytest.raises(UserError, match=r"train split: image 7 cannot be decoded"):
        data.load(card, folder=tmp_path, offline=True)


def test_damaged_files_raise(card, tmp_path):
    write(tmp_path / "cifar10", "binary folder")
    path = tmp_path / "cifar10" / "cifar-10-batches-bin" / "data_batch_2.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"data_batch_2.bin: 61459 bytes are not a whole number of records of 3073"):
        data.load(card, folder=tmp_path, offline=True)
    path.unlink()
    with pytest.raises(UserError, match="cifar10 is not in .* Expected cifar-10-binary.tar.gz"):
        data.load(card, folder=tmp_path, offline=True)
    (tmp_path / "cifar10" / "cifar-10-binary.tar.gz").write_bytes(b"\x1f\x8b\x08 damaged")
    with pytest.raises(UserError, match="is damaged or truncated"):
        data.load(card, folder=tmp_path, offline=True)


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_pickle_with_more_than_arrays_raises(card, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "cifar10", "python folder")
    (tmp_path / "cifar10" / "cifar-10-batches-py" / "data_batch_1").write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(UserError, match="which no array needs"):
        data.load(card, folder=tmp_path, offline=True)
    assert not (tmp_path / "harm").exists()


def test_long_tail_rows_shrink_exponentially():
    labels = np.tile(np.arange(100), 500)
    rows = long_tail_rows(labels, 100.0)
    sizes = np.bincount(labels[rows])
    assert len(rows) == 10_847
    assert (sizes[0], sizes[50], sizes[99]) == (500, 48, 5)
    assert rows[labels[rows] == 99].tolist() == [99, 199, 299, 399, 499]


def test_validation_of_a_long_tail_is_balanced_and_as_large_as_the_card_says():
    card = cards.load("datasets", "cifar100_lt")
    labels = np.tile(np.arange(100), 500)
    splits = [split_long_tail(labels, 100.0, 10, seed) for seed in (0, 1)]
    for train, validation in splits:
        assert (len(train), len(validation)) == (card.sizes.train, card.sizes.validation)
        assert np.bincount(labels[validation]).tolist() == [10] * 100
        assert np.bincount(labels[train])[[0, 1, 50, 99]].tolist() == [490, 477, 48, 5]
        assert not set(train) & set(validation)
    assert set(splits[0][0]) - set(splits[1][0]) <= set(np.flatnonzero(labels == 0))  # others do not depend on the seed
    assert len(set(splits[0][1]) & set(splits[1][1])) < 100


def test_cifar_100_reads_fine_labels(tmp_path):
    card = cards.load("datasets", "cifar100_lt")
    # 4 of each class in the files, 4 of the first and 1 of the last in training; one of each for validation.
    kept = [int(4 * 4.0 ** (-c / 99) + 1e-9) for c in range(100)]
    sizes = dataclasses.replace(card.sizes, train=sum(kept) - 1, validation=100, test=100)
    card = dataclasses.replace(card, sizes=sizes, content={}, options={"imbalance": 4.0})
    folder = tmp_path / "cifar100" / "cifar-100-binary"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name, n in (("train.bin", 400), ("test.bin", 100)):
        x = generator.integers(0, 256, (n, 3072), np.uint8)
        labels = np.stack([np.arange(n) % 20, np.arange(n) % 100], axis=1).astype(np.uint8)
        (folder / name).write_bytes(np.concatenate([labels, x], axis=1).tobytes())
    dataset = data.load(card, folder=tmp_path, offline=True)
    assert np.bincount(dataset.train.y).tolist() == [kept[0] - 1, *kept[1:]]
    assert np.bincount(dataset.validation.y).tolist() == [1] * 100
    shared = {image.tobytes() for image in dataset.train.x} & {image.tobytes() for image in dataset.validation.x}
    assert not shared
    assert dataset.test.y.tolist() == list(range(100))


@pytest.mark.data
@pytest.mark.skipif(not os.environ.get("BATCHSEL_DATA"), reason="BATCHSEL_DATA is not set")
def test_real_images_load_fast_the_second_time():
    card = cards.load("datasets", "cifar10")
    dataset = data.load(card, offline=True)
    means = dataset.train.x.mean(axis=(0, 1, 2)) / 255
    np.testing.assert_allclose(means, (0.4914, 0.4822, 0.4465), atol=1e-3)
    start = time.perf_counter()
    data.load(card, offline=True)
    assert time.perf_counter() - start < 20
