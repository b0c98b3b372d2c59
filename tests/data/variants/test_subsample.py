"""Subsamples of the training split: the same samples, stratified, with the other splits whole."""

import json

import numpy as np
import pytest
from command_line import CommandLine

from batchsel.data.dataset import Dataset, Split
from batchsel.data.sources import ArraySource, Subset
from batchsel.data.splits import SplitRows
from batchsel.data.variants.corruption import corrupt_labels, make_imbalanced
from batchsel.data.variants.subsample import subsample
from batchsel.errors import UsageError, UserError
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.spec import dataset_lookup
from batchsel.experiments.spec.run_spec import RunSpec

N = 1000
Y = np.repeat(np.arange(3), [600, 300, 100]).astype(np.int32)


def dataset(task="classification", train=None, **options):
    split = Split(np.arange(N, dtype=np.float32)[:, None], Y)
    names = tuple("abc") if task == "classification" else ()
    return Dataset("mine", task, train or split, split, split, names, **options)


def test_subsample_is_stratified_and_leaves_other_splits_whole():
    some = subsample(dataset(), 0.05)
    assert np.bincount(some.train.y).tolist() == [30, 15, 5]
    np.testing.assert_array_equal(some.train.y, Y[some.train.x[:, 0].astype(int)])
    assert len(some.validation) == len(some.test) == N
    some.check()


def test_larger_share_adds_to_the_same_samples():
    first, again, more = (subsample(dataset(), share).train.x[:, 0] for share in (0.2, 0.2, 0.5))
    np.testing.assert_array_equal(first, again)
    assert set(first) < set(more)
    assert np.abs(first.mean() - N / 2) < 45  # drawn at random: four standard deviations


def test_share_of_one_returns_the_data_set_itself():
    whole = dataset()
    assert subsample(whole, 1.0) is whole
    assert subsample(whole, 0.9999) is whole


def test_regression_is_drawn_uniformly():
    some = subsample(dataset("regression"), 0.3)
    assert len(some.train) == 300
    assert np.bincount(some.train.y).tolist() != [180, 90, 30]


def test_source_on_disk_is_not_read():
    class Unread(ArraySource):
        def take(self, indices):
            taken.append(len(indices))
            return super().take(indices)

    taken = []
    some = subsample(dataset(train=Unread(np.arange(N, dtype=np.float32)[:, None], Y)), 0.1)
    assert (len(some.train), taken) == (100, [])
    assert isinstance(some.train, Subset)
    x, y = some.train.take(np.arange(100))
    np.testing.assert_array_equal(y, Y[x[:, 0].astype(int)])


def test_metadata_follow_the_samples():
    rows = SplitRows(np.arange(N) + 7, np.arange(N), np.arange(N))
    whole = dataset(rows=rows, raw=lambda split: np.arange(N) * 10, true_labels=Y)
    some = subsample(whole, 0.1)
    places = some.train.x[:, 0].astype(int)
    np.testing.assert_array_equal(some.rows.train, places + 7)
    np.testing.assert_array_equal(some.raw_inputs("train"), places * 10)
    np.testing.assert_array_equal(some.true_labels, Y[places])
    assert len(some.rows.test) == len(some.raw_inputs("test")) == N


def test_subsample_can_be_corrupted():
    corrupted = corrupt_labels(make_imbalanced(subsample(dataset(), 0.5), 5.0), 0.2)
    assert np.bincount(corrupted.true_labels).tolist() == [50, 22, 10]
    assert (corrupted.train.y != corrupted.true_labels).sum() == 16


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5])
def test_share_out_of_range_raises(share):
    with pytest.raises(UsageError, match=rf"train_share must be in \(0, 1\], got {share}"):
        subsample(dataset(), share)
    with pytest.raises(UsageError, match=rf"train_share must be a number in \(0, 1\], got {share}"):
        RunSpec("iris", "mlp", "random", 8, "adam", 1e-3, "linear", "2 passes", "loss<=1", train_share=share)


def test_share_without_samples_raises():
    with pytest.raises(UserError, match=r"mine: a share of 0.0001 of 1000 training samples rounds to 0"):
        subsample(dataset(), 1e-4)


def test_passes_are_counted_over_the_share(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    command = CommandLine(monkeypatch, capfd)
    words = "run --dataset iris --train-share 0.4 --label-smoothing 0.2 --batch-size 8 --budget 2 --target loss<=0.001"
    done = command(*words.split(), "--evaluations", "2", "--compile", "graph", "--json", "--progress", "off")
    assert done.code == 3, done.err
    record = json.loads(done.out)
    assert record["sizes"]["train"] == round(0.4 * len(dataset_lookup.load("iris").train))
    assert record["evaluations"][-1]["samples"] == 2 * record["sizes"]["train"]
    assert (record["spec"]["train_share"], record["spec"]["label_smoothing"]) == (0.4, 0.2)


def test_arms_with_own_shares_are_evaluated_equally_often():
    arms = {"random": {"selector": "random"}, "half": {"selector": "random", "train_share": 0.5}}
    stated = {"label_smoothing": 0.1, "optimizer": "lars(weight_decay=0.001)", "evaluations": 10}
    experiment = Experiment("shares", "?", ("iris",), arms, range(2), {**stated, "budget": "900 samples"})
    whole, half = (experiment.spec("iris", arm, 0) for arm in arms)
    assert (whole.train_share, half.train_share, half.label_smoothing) == (1.0, 0.5, 0.1)
    n = len(dataset_lookup.load("iris").train)
    assert whole.evaluate_every * n == pytest.approx(90) == half.evaluate_every * n / 2
    assert len({job.spec.digest() for job in experiment.jobs()}) == 4
