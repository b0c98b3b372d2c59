"""Cards: the built-in ones are valid, and all problems of a card are reported at once."""

import re
from pathlib import Path

import pytest
from data_files import card_values, write_card

from batchsel import cards
from batchsel.cards.default_card import default_card
from batchsel.cards.schema import DatasetCard, Sizes
from batchsel.errors import UsageError, UserError
from batchsel.experiments.spec.resolve import resolve

FOLDER = Path(__file__).parents[2] / "datasets"
UNTRIED = {
    "qmnist", "sentiment140", "cifar100", "cifar100_lt", "e2e", "refinedweb", "cinic10", "tiny_imagenet", "imagenet100",
    "svhn", "imdb", "sst2", "cola", "ag_news", "california_housing",
}  # fmt: skip
"""Cards of data that nobody had at hand, so that there is nothing to compare with."""
OURS = sorted(path.stem for path in FOLDER.glob("*.toml"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_names_are_the_files_of_the_folder(folder):
    assert cards.names("datasets") == OURS
    assert {"spirals", "iris", "wine", "digits", "mnist", "fashion_mnist"} <= set(OURS)


@pytest.mark.parametrize("name", OURS)
def test_every_built_in_card_is_valid(name, folder):
    card = cards.load("datasets", name)
    assert isinstance(card, DatasetCard)
    assert card.target in {target.text for target in card.targets.values()}
    targets = [re.fullmatch(r"\w+([<>]=)(.*)", card.targets[level].text) for level in ("easy", "medium", "hard")]
    signs = [float(found[2]) * (1 if found[1] == ">=" else -1) for found in targets]
    assert signs == sorted(set(signs))
    assert "split" in card.content or name in UNTRIED
    places = 1 if name.startswith("cifar100") else 2
    assert all(len(file.urls) >= places for file in card.files), "a download needs a mirror where there is one"
    assert max(map(len, card.story.splitlines())) <= 100


def test_a_set_says_how_large_it_is_or_what_to_put_there():
    for name in cards.names("datasets"):
        card = cards.load("datasets", name)
        assert all(file.bytes for file in card.files), name
        assert card.files or card.by_hand or name in {"digits", "iris", "spirals", "wine"}


def test_the_fashion_mnist_card_says_what_is_known():
    card = cards.load("datasets", "fashion_mnist")
    assert (card.sizes.train, card.sizes.validation, card.sizes.test, card.sizes.total) == (
        55_000,
        5_000,
        10_000,
        70_000,
    )
    assert card.class_names[6] == "Shirt"
    assert len(card.files) == 4
    assert card.target == "accuracy>=0.91"


def test_cards_of_the_working_directory_replace_and_add(folder):
    write_card(folder, card_values("iris", title="My irises"))
    write_card(folder, card_values("tulips"))
    assert cards.load("datasets", "iris").title == "My irises"
    assert cards.names("datasets") == sorted([*OURS, "tulips"])


def test_an_unknown_name_gets_the_nearest(folder):
    with pytest.raises(UsageError, match=r"unknown dataset 'fashon_mnist'.*Did you mean 'fashion_mnist'"):
        cards.load("datasets", "fashon_mnist")


@pytest.mark.parametrize("name", ["../datasets/iris", "/etc/passwd", "iris.toml", ""])
def test_names_must_not_be_paths(name, folder):
    with pytest.raises(UsageError, match="unknown dataset"):
        cards.load("datasets", name)


def test_other_files_are_not_listed(folder):
    write_card(folder, card_values("tulips"))
    for name in (".hidden.toml", "notes.txt", "with space.toml"):
        (folder / "datasets" / name).write_text("")
    (folder / "datasets" / "folder.toml").mkdir()
    assert cards.names("datasets") == sorted([*OURS, "tulips"])


def problems_of(folder, **changes) -> str:
    write_card(folder, card_values("tiny", **changes))
    with pytest.raises(UserError) as caught:
        cards.load("datasets", "tiny")
    assert "tiny.toml" in str(caught.value)
    return str(caught.value)


def test_one_target_is_enough_and_is_the_default(folder):
    only = {"target": "accuracy>=0.9", "reason": "It suffices."}
    values = card_values("tulips", targets={"hard": only})
    values["defaults"] = {name: value for name, value in values["defaults"].items() if name != "target"}
    write_card(folder, values)
    card = cards.load("datasets", "tulips")
    assert (card.target, list(card.targets)) == ("accuracy>=0.9", ["hard"])
    assert resolve({"target": "hard"}, {}, card).target == "accuracy>=0.9"
    with pytest.raises(UsageError, match="tulips has no easy target; its levels: hard"):
        resolve({"target": "easy"}, {}, card)
    assert "hard" in problems_of(folder, targets={"hard": only})  # the default names another level


def test_all_problems_are_reported_at_once(folder):
    text = problems_of(folder, tilte="x", title=None, task="guessing", input_shape=[28, -1], sizes={"train": 5})
    assert "has 6 problems" in text
    assert "title: missing key, expected a text." in text
    assert "tilte: unknown key. Did you mean 'title'?" in text
    assert "task: expected 'classification' or 'regression' or 'language_model', got 'guessing'." in text
    assert "input_shape: expected a list of whole numbers above 0, got [28, -1]." in text
    assert "sizes.validation: missing key" in text
    assert "sizes.test: missing key" in text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": 3}, "title: expected a text, got 3."),
        ({"title": "  "}, "title: expected a text"),
        ({"sizes": {"train": 0, "validation": 1, "test": 1}}, "sizes.train: expected a whole number of at least 1"),
        ({"sizes": {"train": True, "validation": 1, "test": 1}}, "sizes.train: expected a whole number"),
        ({"sizes": 7}, "sizes: expected a table, got 7."),
        ({"class_names": ["only"]}, "class_names: expected at least two names"),
        ({"task": "regression"}, "class_names: expected none, because the task is regression."),
        ({"class_names": "abc"}, "class_names: expected a list of texts, got 'abc'."),
        ({"content": {"x": "abc"}}, "content: expected a table of SHA-256 sums"),
        ({"options": 3}, "options: expected a table, got 3."),
        ({"files": [{"name": "a", "sha256": "0" * 64}]}, "files[0].urls: missing key"),
        ({"files": [{"name": "a", "sha256": "0" * 64, "urls": ["file:///etc/x"]}]}, "files[0].urls: expected a list"),
        ({"files": [{"name": "a", "sha256": "0", "urls": ["https://e.org/a"]}]}, "files[0].sha256: expected 64"),
        ({"files": [{"name": "a", "urls": ["https://e.org/a"]}]}, "files[0].sha256: missing key"),
        ({"files": [{"name": "a", "md5": "0" * 31, "urls": ["https://e.org/a"]}]}, "files[0].md5: expected 32"),
        ({"files": {"name": "a"}}, "files: expected tables [[files]]"),
        ({"targets": {}}, "targets: expected a table for at least one of easy, medium, hard."),
        ({"targets": {"esay": 1}}, "targets.esay: unknown key. Did you mean 'easy'?"),
        ({"targets": {"easy": 3}}, "targets.easy: expected a table, got 3."),
    ],
)
def test_each_wrong_value_names_key_and_expectation(folder, changes, sentence):
    assert sentence in problems_of(folder, **changes)


@pytest.mark.parametrize(
    "name", ["../up.gz", "/etc/passwd", "a/../../b", "C:\\x", "C:x", "..", ".", "a//b/../c", "", " ", "a\\b"]
)
def test_a_file_name_stays_inside_the_folder(folder, name):
    files = [{"name": name, "sha256": "0" * 64, "urls": ["https://example.org/a"]}]
    assert "files[0].name: expected a plain relative name" in problems_of(folder, files=files)


@pytest.mark.parametrize(
    "target", ["accuracy=0.9", "accuracy>0.9", ">=0.9", "accuracy>=high", "accuracy >= 0.9 %", 0.9]
)
def test_malformed_targets_are_rejected(folder, target):
    level = {"target": "loss <= 3e-1", "reason": "r"}
    targets = {"easy": level, "medium": {"target": target, "reason": "r"}, "hard": level}
    text = problems_of(folder, targets=targets)
    assert "has 1 problem:" in text
    assert "targets.medium.target: expected metric and threshold" in text


def test_the_default_target_is_one_of_the_three(folder):
    defaults = card_values("tiny")["defaults"] | {"target": "harder", "learning_rate": 0}
    text = problems_of(folder, defaults=defaults)
    assert "defaults.target: expected 'easy' or 'medium' or 'hard', got 'harder'." in text
    assert "defaults.learning_rate: expected a number above 0, got 0." in text


def test_the_name_is_that_of_the_file(folder):
    path = write_card(folder, card_values("tiny"))
    path.rename(path.with_name("small.toml"))
    with pytest.raises(UserError, match=r"name: expected 'small', as its file is named, got 'tiny'"):
        cards.load("datasets", "small")


def test_broken_toml_names_file_and_line(folder):
    write_card(folder, card_values("tiny")).write_text('name = "tiny"\ntitle = oops\n')
    with pytest.raises(UserError, match=r"tiny\.toml is not valid TOML: .*line 2"):
        cards.load("datasets", "tiny")


def test_a_card_that_is_not_utf8(folder):
    write_card(folder, card_values("tiny")).write_bytes(b'name = "\xff"')
    with pytest.raises(UserError, match=r"tiny\.toml is not UTF-8"):
        cards.load("datasets", "tiny")


def test_default_cards_need_no_file():
    card = default_card("mine", "classification", (8, 8, 3), Sizes(6, 2, 2), class_names=("a", "b"))
    assert card.defaults.model == "cnn"
    assert card.target is None
