"""Folders of images as users have them: shards, names of classes, and what would be read wrongly is refused."""

import json

import numpy as np
import pytest
from PIL import Image

from batchsel.data.builders.image_layout import find_layout
from batchsel.data.user.image_folder import load_image_folder
from batchsel.errors import UserError


def write(folder, count, value):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (8, 8), (value + number, 0, 0)).save(folder / f"{value}_{number}.png")


def kaggle(root):
    """Write the layout of ImageNet-100 as Kaggle serves it: classes spread over shards, and a file of their names."""
    for shard, names in enumerate((("n01", "n02"), ("n03",), ("n04", "n05"), ("n06",)), 1):
        for place, name in enumerate(names):
            write(root / f"train.X{shard}" / name, 6, 40 * shard + 10 * place)
    for number in range(1, 7):
        write(root / "val.X" / f"n0{number}", 2, 200 + number)
    labels = {f"n0{number}": f"bird {number}, sort of" for number in range(1, 7)}
    (root / "Labels.json").write_text(json.dumps(labels))
    return root


def test_shards_of_a_split_are_one_split_and_classes_have_their_names(tmp_path):
    said = []
    dataset, _ = load_image_folder(str(kaggle(tmp_path)), say=said.append)
    assert said == ["2 parts by folder (train: 4 folders, test), 6 classes, 48 images, 8×8"]
    assert dataset.class_names == tuple(f"bird {number}" for number in range(1, 7))
    assert {split: len(held) for split, held in dataset.splits.items()} == {"train": 32, "validation": 4, "test": 12}
    values = dataset.test.x[:, 0, 0, 0]
    np.testing.assert_array_equal(np.sort(values // 1)[::2], np.arange(201, 207))
    assert set(dataset.train.x[:, 0, 0, 0]) < set(range(40, 176))
    first = dataset.train.x[dataset.train.y == 2][:, 0, 0, 0]
    assert set(first) <= set(range(80, 86))


def test_one_class_may_lie_in_several_shards(tmp_path):
    for shard in ("train_0", "train_1"):
        write(tmp_path / shard / "a", 5, 10 if shard.endswith("0") else 50)
        write(tmp_path / shard / "b", 5, 100)
    write(tmp_path / "test" / "a", 3, 200)
    dataset, _ = load_image_folder(str(tmp_path))
    assert len(dataset.train) + len(dataset.validation) == 20
    assert len(dataset.test) == 3


@pytest.mark.parametrize(
    "names", [("train", "valid", "test"), ("Training", "val", "Testing"), ("TRAIN", "VAL", "TEST")]
)
def test_splits_have_the_names_that_people_give_them(tmp_path, names):
    for place, name in enumerate(names):
        for label in "ab":
            write(tmp_path / name / label, 10, 60 * place)
    write(tmp_path / "docs", 1, 0)
    said = []
    dataset, _ = load_image_folder(str(tmp_path), say=said.append)
    assert [len(part) for part in dataset.splits.values()] == [20, 20, 20]
    assert said == ["3 parts by folder (train, validation, test), 2 classes, 60 images, 8×8; not read: docs"]


def test_shards_sort_by_their_number(tmp_path):
    for number in (10, 9, 1):
        write(tmp_path / f"train.X{number}" / "a", 1, 1)
        write(tmp_path / f"train.X{number}" / "b", 1, 1)
    assert [path.name for path in find_layout(tmp_path).splits["train"]] == ["train.X1", "train.X9", "train.X10"]


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (["train.X1", "train.X2", "val.X"], "would be classes by their place and are splits by their names"),
        (["train", "test"], "would be classes by their place and are splits by their names"),
        (["part1/cats", "part1/dogs", "part2/cats"], "part1, part2 would be classes and hold only folders"),
        (["cats", "dogs/brown", "dogs/white"], "dogs would be a class and hold only folders"),
        (["train/a/x", "train/b/y"], "a, b would be classes and hold only folders"),
        (["test/a", "test/b"], "holds test and no folder train"),
        (["train/a", "train/b", "train.X1/a"], "several folders for the train split"),
        (["train/a", "train/b", "val/c"], "has the classes c, which the training split lacks"),
        (["train.X1/a", "train.X2/b", "val.X/c"], "has the classes c, which the training split lacks"),
    ],
)
def test_what_would_be_read_wrongly_is_refused(tmp_path, folders, said):
    for place, name in enumerate(folders):
        write(tmp_path / name, 4, 10 * place)
    with pytest.raises(UserError, match=said):
        load_image_folder(str(tmp_path))


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": "x"}', '{"a": "x", "b": 3}'])
def test_names_of_classes_that_do_not_fit_are_refused(tmp_path, text):
    write(tmp_path / "a", 4, 1)
    write(tmp_path / "b", 4, 1)
    (tmp_path / "Labels.json").write_text(text)
    with pytest.raises(UserError, match=r"Labels\.json"):
        load_image_folder(str(tmp_path))


def test_tiny_imagenet_unpacked_is_read_with_its_labels(tmp_path):
    for place, name in enumerate(("n1", "n2")):
        write(tmp_path / "train" / name / "images", 10, 50 * place)
    write(tmp_path / "val" / "images", 4, 150)
    rows = [f"150_{number}.png\tn{1 + number % 2}\t0\t0\t8\t8\n" for number in range(4)]
    (tmp_path / "val" / "val_annotations.txt").write_text("".join(rows))
    write(tmp_path / "test" / "images", 5, 250)
    said = []
    dataset, _ = load_image_folder(str(tmp_path), say=said.append)
    assert dataset.test.y[np.argsort(dataset.test.x[:, 0, 0, 0])].tolist() == [0, 1, 0, 1]
    assert said[0].endswith("not read: test (without labels)")
