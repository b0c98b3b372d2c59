"""Wrong labels and imbalanced classes: exact amounts, the same rows, in the training split only."""

import dataclasses
import json

import numpy as np
import pytest
from command_line import CommandLine

from batchsel import data
from batchsel.data.variants.corruption import KINDS, corrupt_labels, make_imbalanced
from batchsel.errors import UsageError, UserError
from batchsel.experiments.run.parse_record import parse_run
from batchsel.experiments.spec.run_spec import LABEL_NOISE_KINDS

N, CLASSES = 2000, 5


@pytest.fixture
def dataset():
    y = (np.arange(N) % CLASSES).astype(np.int32)
    split = data.Split(np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32), y)
    return data.Dataset("mine", "classification", split, split, split, tuple("abcde"))


def test_symmetric_noise_reaches_every_other_class(dataset):
    corrupted = corrupt_labels(dataset, 0.3)
    wrong = corrupted.train.y != corrupted.true_labels
    assert wrong.sum() == 600
    steps = (corrupted.train.y - corrupted.true_labels)[wrong] % CLASSES
    counts = np.bincount(steps, minlength=CLASSES)
    assert counts[0] == 0
    assert np.abs(counts[1:] - 150).max() < 45  # four standard deviations
    shares = np.bincount(corrupted.true_labels[wrong], minlength=CLASSES)
    assert np.abs(shares - 120).max() < 45
    np.testing.assert_array_equal(corrupted.true_labels, dataset.train.y)
    np.testing.assert_array_equal(corrupted.validation.y, dataset.validation.y)


def test_asymmetric_noise_is_the_next_class(dataset):
    corrupted = corrupt_labels(dataset, 0.2, "asymmetric")
    wrong = corrupted.train.y != corrupted.true_labels
    assert wrong.sum() == 400
    assert ((corrupted.train.y - corrupted.true_labels)[wrong] % CLASSES == 1).all()


def test_more_noise_adds_to_the_same_rows(dataset):
    first, second, more = (corrupt_labels(dataset, share).train.y for share in (0.1, 0.1, 0.4))
    np.testing.assert_array_equal(first, second)
    changed = first != dataset.train.y
    np.testing.assert_array_equal(more[changed], first[changed])


def test_imbalanced_classes_shrink_exponentially(dataset):
    rare = make_imbalanced(dataset, 100.0)
    assert np.bincount(rare.train.y).tolist() == [400, 126, 40, 12, 4]
    assert len(rare.test) == N


def test_data_that_cannot_be_corrupted_raise(dataset):
    with pytest.raises(UsageError, match=r"label_noise must be in \[0, 1\), got 1.5"):
        corrupt_labels(dataset, 1.5)
    with pytest.raises(UsageError, match="label_noise_kind must be one of symmetric, asymmetric, got 'any'"):
        corrupt_labels(dataset, 0.1, "any")
    with pytest.raises(UsageError, match="imbalance must be at least 1"):
        make_imbalanced(dataset, 0.5)
    regression = data.Dataset("mine", "regression", dataset.train, dataset.train, dataset.train)
    with pytest.raises(UserError, match="label noise needs a classification in memory; mine is not one"):
        corrupt_labels(regression, 0.1)


def test_settings_list_the_kinds_of_noise():
    assert LABEL_NOISE_KINDS == KINDS


def test_run_records_trained_wrong_labels(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    command = CommandLine(monkeypatch, capfd)
    words = "run --dataset digits --selector loss_ema --label-noise 0.2 --budget 6 --target accuracy>=0.999"
    done = command(*words.split(), "--json", "--progress", "off")
    assert done.code == 3, done.err
    record = json.loads(done.out)
    assert record["wrong_labels"]["data"] == pytest.approx(0.2, abs=0.001)
    assert record["wrong_labels"]["trained"] > 0.25  # what it cannot learn has the highest losses
    typed = parse_run(record)
    assert dataclasses.asdict(typed.wrong_labels) == record["wrong_labels"]
    assert typed.extra == {}
    assert record["spec"]["label_noise"] == 0.2
    done = command(*words.split(), "--label-noise-kind", "symetric")
    assert done.code == 2
    assert "Did you mean 'symmetric'" in done.err
