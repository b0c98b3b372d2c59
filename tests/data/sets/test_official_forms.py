"""Data sets in small versions of their official files: SVHN, IMDB, GLUE, AG News, Tiny ImageNet, California."""

import dataclasses
import io
import tarfile
import zipfile

import numpy as np
import pytest
import scipy.io
from PIL import Image

from batchsel import cards, data
from batchsel.cards.schema import Sizes
from batchsel.errors import UserError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def small(name, *sizes, **changes):
    return dataclasses.replace(cards.load("datasets", name), sizes=Sizes(*sizes), content={}, **changes)


def write_svhn(folder, train=50, test=20):
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for split, count in (("train", train), ("test", test)):
        x = np.random.default_rng(count).integers(0, 256, (count, 32, 32, 3), np.uint8)
        digits = np.arange(count) % 10
        scipy.io.savemat(
            folder / f"{split}_32x32.mat",
            {"X": x.transpose(1, 2, 3, 0), "y": np.where(digits == 0, 10, digits).astype(np.uint8)[:, None]},
        )
        arrays[split] = x
    return arrays


def test_svhn_loads_from_its_matlab_files(tmp_path):
    arrays = write_svhn(tmp_path / "svhn")
    dataset = data.load(small("svhn", 40, 10, 20), folder=tmp_path, offline=True)
    assert len(dataset.train) == 40
    np.testing.assert_array_equal(dataset.test.x, arrays["test"])
    np.testing.assert_array_equal(dataset.test.y, np.arange(20) % 10)
    assert data.find(small("svhn", 40, 10, 20), folder=tmp_path) == "MATLAB files"
    path = tmp_path / "svhn" / "train_32x32.mat"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match="train_32x32.mat is damaged or truncated"):
        data.load(small("svhn", 40, 10, 20), folder=tmp_path, offline=True)


def reviews():
    for split, count in (("train", 40), ("test", 10)):
        for number in range(count):
            label = ("neg", "pos")[number % 2]
            text = f"A {'good' if label == 'pos' else 'bad'} film.<br />Review {split}{number}, naïve."
            yield f"aclImdb/{split}/{label}/{number // 2}_{7 if label == 'pos' else 2}.txt", text.encode()
    yield "aclImdb/train/unsup/0_0.txt", b"not labeled"
    yield "aclImdb/README", b"about"


def write_imdb(folder, packed):
    folder.mkdir(parents=True)
    if packed:
        with tarfile.open(folder / "aclImdb_v1.tar.gz", "w:gz") as archive:
            for name, content in reviews():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return
    for name, content in reviews():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_imdb_is_the_same_packed_and_unpacked(tmp_path):
    card = small("imdb", 30, 10, 10, input_shape=(8,))
    loaded = []
    for form in ("packed", "unpacked"):
        write_imdb(tmp_path / form / "imdb", form == "packed")
        loaded.append(data.load(card, folder=tmp_path / form, offline=True))
    first, second = loaded
    assert first.encoder.vocabulary == second.encoder.vocabulary
    for split in first.splits:
        np.testing.assert_array_equal(first.splits[split].x, second.splits[split].x)
        np.testing.assert_array_equal(first.splits[split].y, second.splits[split].y)
    assert {"good", "bad", "review"} <= set(first.encoder.vocabulary)
    assert "br" not in first.encoder.vocabulary
    assert first.test.y.tolist() == [0] * 5 + [1] * 5


def test_damaged_imdb_raises(tmp_path):
    write_imdb(tmp_path / "imdb", packed=True)
    with pytest.raises(UserError, match="holds 40 reviews in train, expected 41"):
        data.load(small("imdb", 31, 10, 10), folder=tmp_path, offline=True)
    path = tmp_path / "imdb" / "aclImdb_v1.tar.gz"
    path.write_bytes(path.read_bytes()[:800])
    with pytest.raises(UserError, match="damaged or truncated"):
        data.load(small("imdb", 30, 10, 10), folder=tmp_path, offline=True)


def test_sst2_keeps_unclosed_quotation_marks(tmp_path):
    (tmp_path / "sst2").mkdir()
    rows = [f'{"a great" if row % 2 else "an awful"} " film no{row}\t{row % 2}' for row in range(60)]
    table = "\n".join(["sentence\tlabel", *rows]) + "\n"
    with zipfile.ZipFile(tmp_path / "sst2" / "SST-2.zip", "w") as archive:
        archive.writestr("SST-2/train.tsv", table)
        archive.writestr("SST-2/dev.tsv", "\n".join(["sentence\tlabel", *rows[:12]]) + "\n")
        archive.writestr("SST-2/test.tsv", "index\tsentence\n")
    dataset = data.load(small("sst2", 50, 10, 12), folder=tmp_path, offline=True)
    assert [len(split) for split in dataset.splits.values()] == [50, 10, 12]
    assert {"great", "awful", "film"} <= set(dataset.encoder.vocabulary)


def test_cola_loads_without_names_of_columns(tmp_path):
    (tmp_path / "cola").mkdir()
    rows = [f"gj04\t{row % 2}\t{'' if row % 2 else '*'}\tOur friends {row} won't." for row in range(40)]
    for name, some in (("train", rows), ("dev", rows[:10])):
        (tmp_path / "cola" / f"{name}.tsv").write_text("\n".join(some) + "\n")
    dataset = data.load(small("cola", 30, 10, 10), folder=tmp_path, offline=True)
    assert dataset.test.y.tolist() == [0, 1] * 5
    assert "friends" in dataset.encoder.vocabulary


def test_ag_news_joins_title_and_description(tmp_path):
    (tmp_path / "ag_news").mkdir()
    rows = [f'"{row % 4 + 1}","Title, {row}","Shares ""fell"" again"' for row in range(60)]
    for name, some in (("train", rows), ("test", rows[:12])):
        (tmp_path / "ag_news" / f"{name}.csv").write_text("\n".join(some) + "\n")
    dataset = data.load(small("ag_news", 50, 10, 12), folder=tmp_path, offline=True)
    words = {number + 2: word for number, word in enumerate(dataset.encoder.vocabulary)}
    assert [words.get(number) for number in dataset.train.x[0][:5] if number != 1][-3:] == ["shares", "fell", "again"]
    assert dataset.test.y.tolist() == [0, 1, 2, 3] * 3


def write_tiny_imagenet(folder, classes):
    for label, name in enumerate(classes):
        (folder / "train" / name / "images").mkdir(parents=True)
        for number in range(10):
            image = Image.new("RGB", (64, 64), (40 * label, number, 0))
            image.save(folder / "train" / name / "images" / f"{name}_{number}.JPEG", quality=100)
    (folder / "val" / "images").mkdir(parents=True)
    lines = []
    for number in range(2 * len(classes)):
        Image.new("RGB", (64, 64), (40 * (number % len(classes)), 0, 0)).save(
            folder / "val" / "images" / f"val_{number}.JPEG"
        )
        lines.append(f"val_{number}.JPEG\t{classes[number % len(classes)]}\t0\t0\t63\t63")
    (folder / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")


def test_tiny_imagenet_reads_validation_labels_from_a_file(tmp_path):
    classes = ("n01", "n02", "n03")
    card = small("tiny_imagenet", 24, 6, 6, class_names=classes)
    write_tiny_imagenet(tmp_path / "made" / "tiny-imagenet-200", classes)
    (tmp_path / "tiny_imagenet").mkdir()
    with zipfile.ZipFile(tmp_path / "tiny_imagenet" / "tiny-imagenet-200.zip", "w") as archive:
        for path in sorted((tmp_path / "made").rglob("*")):
            archive.write(path, path.relative_to(tmp_path / "made"))
    dataset = data.load(card, folder=tmp_path, offline=True)
    assert [len(split) for split in dataset.splits.values()] == [24, 6, 6]
    for split in dataset.splits.values():
        np.testing.assert_allclose(split.x[:, 5, 5, 0], 40 * split.y, atol=3)
    root = tmp_path / "tiny_imagenet" / "tiny-imagenet-200" / "tiny-imagenet-200"
    (root / "val" / "images" / "val_3.JPEG").unlink()
    with pytest.raises(UserError, match=r"names 1 images that do not exist, the first is .*val_3.JPEG"):
        data.load(card, folder=tmp_path, offline=True)


def test_imagenet100_reads_only_its_classes(tmp_path):
    card = small("imagenet100", 16, 4, 4, input_shape=(16, 16, 3))
    assert len(card.class_names) == len(card.options["folders"]) == 100
    card = dataclasses.replace(card, class_names=("n01", "n03"), options={**card.options, "folders": ["n01", "n03"]})
    for split, count in (("train", 10), ("val", 2)):
        for name in ("n01", "n02", "n03"):
            (tmp_path / "imagenet100" / split / name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (40, 30)).save(tmp_path / "imagenet100" / split / name / f"{number}.JPEG")
    dataset = data.load(card, folder=tmp_path, offline=True)
    assert dataset.train.x.shape == (16, 16, 16, 3)
    assert np.bincount(dataset.test.y).tolist() == [2, 2]
    with pytest.raises(UserError, match=r"train/n01558993/\*.JPEG and val/n01558993"):
        data.load(cards.load("datasets", "imagenet100"), folder=tmp_path / "nowhere")


def test_california_housing_loads_from_the_file_of_keras(tmp_path):
    (tmp_path / "california_housing").mkdir()
    generator = np.random.default_rng(0)
    y = generator.uniform(15_000, 500_001, 60)
    np.savez(tmp_path / "california_housing" / "california_housing.npz", x=generator.normal(size=(60, 8)), y=y)
    dataset = data.load(small("california_housing", 40, 10, 10), folder=tmp_path, offline=True)
    assert dataset.train.x.shape == (40, 8)
    values = np.sort(np.concatenate([split.y for split in dataset.splits.values()]))
    np.testing.assert_allclose(values, np.sort(y) / 100_000, rtol=1e-6)
