"""Loaders: built in, from a package, or a function in a file."""

import sys
import textwrap
from importlib import metadata

import numpy as np
import pytest
from data_files import card_values, write_card

from batchsel import cards, data
from batchsel.errors import UsageError, UserError

MINE = """
from __future__ import annotations
import dataclasses
import numpy as np
from batchsel.data import Dataset, Split

@dataclasses.dataclass
class Settings:
    samples: int = 4

def load(seed):
    n = Settings().samples
    split = Split(np.full((n, 2), seed, np.float32), np.arange(n, dtype=np.int32) % 2)
    return Dataset("mine", "classification", split, split, split, ("no", "yes"))

def wrong(seed):
    return [1, 2, 3]

def nan(seed):
    split = Split(np.array([[np.nan]], np.float32), np.array([0], np.int32))
    return Dataset("mine", "classification", split, split, split, ("no", "yes"))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def test_function_in_a_file_loads(folder):
    dataset = data.load("./mine.py:load", seed=5)
    assert dataset.name == "mine"
    np.testing.assert_array_equal(dataset.train.x, 5)


def test_result_of_a_function_is_checked(folder):
    with pytest.raises(UserError, match=r"mine\.py:wrong returned list\. Expected a batchsel\.data\.Dataset"):
        data.load("./mine.py:wrong")
    with pytest.raises(UserError, match="NaN or infinite features: row 0"):
        data.load("./mine.py:nan")


@pytest.mark.parametrize("reference", ["./other.py:load", "other.py", "", ":load", "./:load"])
def test_missing_file_raises(folder, reference):
    with pytest.raises(UsageError, match=r"there is no file .*Expected \./FILE\.py:NAME"):
        data.load(reference)


def test_unknown_function_suggests_the_nearest(folder):
    with pytest.raises(UsageError, match=r"unknown name in mine\.py 'laod'\. Did you mean 'load'"):
        data.load("./mine.py:laod")


def test_new_card_with_an_existing_loader_loads(folder):
    write_card(folder, card_values("tulips", loader="iris", input_shape=[4], class_names=list("abc"), content=None))
    write_card(
        folder,
        card_values(
            "tulips",
            loader="iris",
            input_shape=[4],
            class_names=list("abc"),
            sizes={"train": 100, "validation": 20, "test": 30},
        ),
    )
    dataset = data.load(cards.load("datasets", "tulips"))
    assert (dataset.name, len(dataset.train)) == ("tulips", 100)


def test_unknown_loader_suggests_the_nearest(folder):
    write_card(folder, card_values("tulips", loader="irys"))
    with pytest.raises(UsageError) as caught:
        data.load(cards.load("datasets", "tulips"))
    text = str(caught.value)
    assert "unknown loader of a data set 'irys'. Did you mean 'iris'?" in text
    assert "fashion_mnist" in text
    assert "fetch" not in text, "a module without load is not a loader"


def test_module_without_load_is_not_a_loader(folder):
    write_card(folder, card_values("tulips", loader="idx"))
    with pytest.raises(UsageError, match="unknown loader of a data set 'idx'"):
        data.load(cards.load("datasets", "tulips"))


def test_entry_point_of_a_package_loads(folder, monkeypatch):
    package = folder / "site"
    information = package / "tulip_data-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: tulip-data\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[batchsel.datasets]\ntulips = tulip_data\n")
    (package / "tulip_data.py").write_text(
        textwrap.dedent("""
        from batchsel.data.sets import iris
        def load(card, seed, folder):
            return iris.load(card, seed, folder)
        def find(card, folder):
            return "a bunch of tulips"
        """)
    )
    monkeypatch.syspath_prepend(package)
    assert "tulips" in metadata.entry_points(group="batchsel.datasets").names
    iris = card_values(
        "tulips",
        loader="tulips",
        input_shape=[4],
        class_names=list("abc"),
        sizes={"train": 90, "validation": 30, "test": 30},
    )
    write_card(folder, iris)
    card = cards.load("datasets", "tulips")
    assert len(data.load(card).train) == 90
    assert data.find(card) == "a bunch of tulips"
    sys.modules.pop("tulip_data")


def test_data_set_without_download_says_what_to_do(folder):
    write_card(folder, card_values("tulips", loader="iris", by_hand="Get tulips.zip from the gardener."))
    card = cards.load("datasets", "tulips")
    assert data.find(card) is None
    with pytest.raises(UserError, match=r"cannot be downloaded\. Get tulips\.zip from the gardener\. The folder is"):
        data.download(card, folder=folder)
