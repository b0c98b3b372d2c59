"""`--augment`: settings, records, cards, and the list of augmentations."""

import dataclasses
import json

import pytest
from command_line import CommandLine

from batchsel import cards
from batchsel.errors import UsageError
from batchsel.experiments.spec.resolve import check_names
from batchsel.experiments.spec.resolve import resolve as resolved
from batchsel.experiments.spec.run_spec import RunSpec, to_toml
from batchsel.transforms.augmentation.registry import REGISTRY


def test_a_spec_without_augmentation_has_the_digest_it_had():
    spec = RunSpec("digits", "mlp", "random", 32, "adam", 1e-3, "linear", "20 passes", "accuracy>=0.9")
    assert spec.digest().startswith("de3fe343d4ab0869")
    assert "augment" not in to_toml(spec)
    other = dataclasses.replace(spec, augment="crop(4)")
    assert other.digest() != spec.digest()
    assert 'augment = "crop(4)"' in to_toml(other)


def test_cards_may_set_augmentations_and_options_override_them():
    card = cards.load("datasets", "fashion_mnist")
    assert resolved({}, {}, card).augment == ""
    card = dataclasses.replace(card, defaults=dataclasses.replace(card.defaults, augment="crop(2) | flip"))
    assert resolved({}, {}, card).augment == "crop(2) | flip"
    assert resolved({"augment": ""}, {"augment": "flip"}, card).augment == ""
    with pytest.raises(UsageError, match="unknown augmentation 'filp'. Did you mean 'flip'"):
        check_names(resolved({"augment": "filp"}, {}, card))


def test_a_run_accepts_a_user_function(monkeypatch, capfd, tmp_path):
    monkeypatch.chdir(tmp_path)
    command = CommandLine(monkeypatch, capfd)
    (tmp_path / "mine.py").write_text("def noisy(x, rng):\n    return x + 0.1 * rng.uniform(x.shape, 'noise')\n")
    options = ("run", "--dataset", "digits", "--budget", "2 passes", "--json")
    record = json.loads(command(*options, "--augment", "./mine.py:noisy | mixup").out)
    assert record["spec"]["augment"] == "./mine.py:noisy | mixup"
    assert "augment" not in json.loads(command(*options).out)["spec"]
    refused = command(*options, "--augment", "mixup", "--selector", "loss_ema")
    assert refused.code == 1
    assert "mixes two samples" in refused.err
    assert command(*options, "--augment", "corp").code == 2


def test_augmentations_are_listed_and_shown(monkeypatch, capfd):
    command = CommandLine(monkeypatch, capfd)
    rows = json.loads(command("augmentations", "list", "--json").out)["augmentations"]
    assert {row["name"] for row in rows} == set(REGISTRY.entries())
    assert all(row["summary"].endswith(".") for row in rows)
    shown = json.loads(command("augmentations", "show", "erasing", "--json").out)
    assert set(shown["parameters"]) == {"chance", "smallest", "largest", "aspect", "fill"}
    assert "Random Erasing" in shown["source"]
    assert "Zhong" in command("augmentations", "show", "erasing").out
    assert command("augmentations", "show", "earsing").code == 2
