"""Checkpoint files: every dtype round-trips; damaged files and full disks are reported and change nothing."""

import errno
import io
import json
import os
import pickle
import shutil
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from data_files import full_disk, read_only_folder
from problems import assert_same, classes, mlp, noisy_mlp

from batchsel import Trainer, UserError
from batchsel.training import checkpoint
from batchsel.training.runtime import checksum

X, Y = classes(50)


def make_trainer(build, selector, **options):
    return Trainer(build(), selector, **{"batch_size": 8, "schedule": "cosine", "compile": "graph"} | options)


def test_every_dtype_round_trips(tmp_path):
    def members(factor):
        values = {
            "float32": [1.5, -2], "bfloat16": [1.5, -2], "float16": [0.5, 3], "float64": [1 / 3, 2], "int8": [-3, 2],
            "uint32": [2**31, 1], "int64": [2**60, 1], "bool": [True, False],
        }  # fmt: skip
        variables = {name: tf.Variable(tf.cast(tf.constant(value), name)) for name, value in values.items()}
        if factor == 0:
            for variable in variables.values():
                variable.assign(tf.zeros_like(variable))
        return variables | {"scalar": tf.Variable(3.0 * factor), "none": tf.Variable(tf.zeros([0, 3]))}

    written, read = members(1), members(0)
    weights = [np.array([0.5, 3], written["bfloat16"].numpy().dtype), np.array([1 / 3, 2])]
    checkpoint.write(tmp_path / "a.npz", written, weights, {"note": "ü"})
    stored = checkpoint.read(tmp_path / "a.npz")
    checkpoint.restore(tmp_path / "a.npz", stored, read)
    for name, variable in written.items():
        assert read[name].dtype == variable.dtype
        np.testing.assert_array_equal(read[name].numpy(), variable.numpy())
    assert stored.meta["note"] == "ü"
    assert_same(stored.weights_like(tmp_path / "a.npz", [written["bfloat16"], written["float64"]]), weights)


def resume_and_fit(trainer, path):
    trainer.resume(path)
    trainer.fit(X, Y, verbose=0)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "good.npz"
    make_trainer(mlp, "loss_ema").fit(X, Y, checkpoint=path, verbose=0)
    return path


@pytest.fixture(scope="module")
def trainer():
    trainer = make_trainer(mlp, "loss_ema")
    trainer.fit(X, Y, verbose=0)
    return trainer


def rewrite_npz(path, **changes):
    """Content of a checkpoint with some members replaced, or left out where None."""
    members = dict(np.load(path)) | changes
    buffer = io.BytesIO()
    np.savez(buffer, **{name: value for name, value in members.items() if value is not None})
    return buffer.getvalue()


def flip_byte(content, share):
    position = int(len(content) * share)
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


def add_pickle(content):
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("evil.npy", pickle.dumps(os.getcwd))
    return buffer.getvalue()


def make_npy():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


DAMAGED = {
    "empty": lambda good: b"",
    "text": lambda good: b"not a checkpoint at all, but some words of text" * 9,
    "half": lambda good: good.read_bytes()[: good.stat().st_size // 2],
    "without its end": lambda good: good.read_bytes()[:-30],
    "a byte changed": lambda good: flip_byte(good.read_bytes(), 0.1),
    "an array": lambda good: make_npy(),
    "no record": lambda good: rewrite_npz(good, **{"meta.json": None}),
    "a record of something else": lambda good: rewrite_npz(good, **{"meta.json": np.frombuffer(b"[1, 2]", np.uint8)}),
    "a record without settings": lambda good: rewrite_npz(good, **{"meta.json": np.frombuffer(b"{}", np.uint8)}),
    "a record that is not JSON": lambda good: rewrite_npz(good, **{"meta.json": np.frombuffer(b"{", np.uint8)}),
    "a pickle inside": lambda good: add_pickle(good.read_bytes()),
}


def assert_holds(stored, expected):
    """Assert that the content of a checkpoint is that of another, to the last bit."""
    assert stored.meta == expected.meta
    assert list(stored.variables) == list(expected.variables)
    assert_same(list(stored.variables.values()), list(expected.variables.values()))
    assert_same(stored.weights, expected.weights)


def flip_bit(content, position):
    return content[: position // 8] + bytes([content[position // 8] ^ 1 << position % 8]) + content[position // 8 + 1 :]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "small.npz"
    values = {"model/0/kernel": tf.Variable(tf.ones([2, 3])), "loop/0": tf.Variable(3)}
    checkpoint.write(path, values, [np.ones([2, 3], "float32"), np.zeros(3, "float32")], {"n": 50})
    return path


def test_no_flipped_bit_is_read_as_a_checkpoint(small, tmp_path):
    """Every byte of the headers and the directory of zip, which its own checksums leave out, and some of the rest."""
    content, path = small.read_bytes(), tmp_path / "flipped.npz"
    directory = content.index(b"PK\1\2") * 8
    positions = [*range(directory, len(content) * 8, 3), *range(0, directory, 61)]
    for position in positions:
        path.write_bytes(flip_bit(content, position))
        with pytest.raises(UserError, match=r"flipped\.npz is .* Resume from another checkpoint, or train again"):
            checkpoint.read(path)


def test_flipped_bits_of_a_checkpoint_without_checksum_are_rejected_or_harmless(tmp_path):
    """Version 0.1.0 wrote no checksum of the whole; its directory ends with the weights at the target."""
    values = {f"{name}.npy": np.arange(6, dtype="float32") for name in ("loop/0", "weights_at_target/0")}
    with zipfile.ZipFile(tmp_path / "old.npz", "w") as archive:
        for name, value in values.items():
            buffer = io.BytesIO()
            np.save(buffer, value)
            archive.writestr(name, buffer.getvalue())
        buffer = io.BytesIO()
        np.save(buffer, np.frombuffer(b'{"n": 50}', np.uint8))
        archive.writestr("meta.json.npy", buffer.getvalue())
    content = (tmp_path / "old.npz").read_bytes()
    expected, path, refused = checkpoint.read(tmp_path / "old.npz"), tmp_path / "flipped.npz", 0
    directory = content.index(b"PK\1\2") * 8
    for position in [*range(directory, len(content) * 8, 2), *range(0, directory, 61)]:
        path.write_bytes(flip_bit(content, position))
        try:
            stored = checkpoint.read(path)
        except UserError:
            refused += 1
        else:
            renamed = set(stored.variables) - set(expected.variables)
            if not renamed:  # a renamed array is refused once it is compared with the variables of the run
                assert_holds(stored, expected)
    assert refused > 500


def test_a_missing_array_is_named(good, tmp_path):
    path = tmp_path / "short.npz"
    path.write_bytes(rewrite_npz(good, **{"optimizer/1": None}))
    with open(path, "r+b") as file:
        checksum.append(file)
    with pytest.raises(UserError, match=r"short\.npz .* its arrays are not those that it lists: optimizer/1\."):
        checkpoint.read(path)


def test_a_checkpoint_of_a_later_format_says_so(good, trainer, tmp_path):
    meta = json.loads(bytes(np.load(good)["meta.json"])) | {"format": 99, "version": "7.1"}
    path = tmp_path / "later.npz"
    path.write_bytes(rewrite_npz(good, **{"meta.json": np.frombuffer(json.dumps(meta).encode(), np.uint8)}))
    with pytest.raises(UserError, match=r"later\.npz was written by batchsel 7\.1, in format 99; this is batchsel"):
        trainer.resume(path)


def test_an_unknown_field_of_the_record_is_reported_and_changes_nothing(good, trainer, tmp_path):
    meta = json.loads(bytes(np.load(good)["meta.json"]))
    meta["progress"]["mood"] = 1
    path = tmp_path / "field.npz"
    path.write_bytes(rewrite_npz(good, **{"meta.json": np.frombuffer(json.dumps(meta).encode(), np.uint8)}))
    with pytest.raises(UserError, match=r"field\.npz does not fit this version of batchsel: .*mood"):
        resume_and_fit(trainer, path)
    trainer._checkpoint = None


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_checkpoint_is_reported_and_changes_nothing(damage, good, trainer, tmp_path):
    path = tmp_path / "damaged.npz"
    path.write_bytes(DAMAGED[damage](good))
    before = [np.array(variable.numpy()) for variable in trainer.variables().values()]
    with pytest.raises(UserError, match=r"damaged\.npz"):
        resume_and_fit(trainer, path)
    trainer._checkpoint = None
    assert_same([np.array(variable.numpy()) for variable in trainer.variables().values()], before)


def test_a_missing_checkpoint_or_a_folder_is_rejected(tmp_path, trainer):
    with pytest.raises(UserError, match=r"no checkpoint at .*none\.npz"):
        trainer.resume(tmp_path / "none.npz")
    with pytest.raises(UserError, match=r"is not a checkpoint, or a damaged one: .*directory"):
        trainer.resume(tmp_path)


@pytest.mark.parametrize(
    ("build", "options", "words"),
    [
        (
            mlp,
            {"selector": "random"},
            "was made with selector='loss_ema(decay=0.9)', this trainer has selector='random'",
        ),
        (mlp, {"batch_size": 10}, "was made with batch_size=8, this trainer has batch_size=10"),
        (mlp, {"compile": "xla"}, "was made with xla=False, this trainer has xla=True"),
        (lambda: mlp(outputs=4), {}, "model/2/kernel has shape [8, 3], expected [8, 4]"),
        (lambda: mlp(optimizer=keras.optimizers.Adam()), {}, "optimizer/6 is missing"),
        (noisy_mlp, {}, "does not fit this run"),
    ],
)
def test_a_checkpoint_with_other_settings_is_rejected(build, options, words, good):
    options = {"selector": "loss_ema"} | options
    with pytest.raises(UserError) as caught:
        resume_and_fit(make_trainer(build, **options), good)
    assert words in str(caught.value)
    assert str(good) in str(caught.value)
    assert "settings" in str(caught.value)


def test_a_checkpoint_of_other_data_is_rejected(good):
    other = make_trainer(mlp, "loss_ema")
    other.resume(good)
    with pytest.raises(UserError, match="was made on 50 samples, these data have 40"):
        other.fit(X[:40], Y[:40], verbose=0)


def raise_no_space(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_full_disk_keeps_the_old_file(function, good, trainer, tmp_path, monkeypatch):
    path = shutil.copy(good, tmp_path / "run.npz")
    monkeypatch.setattr(os, function, raise_no_space)
    with pytest.raises(UserError, match=r"cannot write .*run\.npz: No space left on device"):
        trainer.save(path)
    assert os.listdir(tmp_path) == ["run.npz"]
    assert path.read_bytes() == good.read_bytes()


def test_a_disk_that_fills_up_while_writing_keeps_the_old_file(good, trainer, tmp_path):
    path = shutil.copy(good, tmp_path / "run.npz")
    with full_disk(500), pytest.raises(UserError, match=r"cannot write .*run\.npz: File too large"):
        trainer.save(path)
    assert os.listdir(tmp_path) == ["run.npz"]
    assert path.read_bytes() == good.read_bytes()


def test_a_folder_that_cannot_be_written_is_reported(trainer, tmp_path):
    with read_only_folder() as folder, pytest.raises(UserError, match="Permission denied"):
        trainer.save(folder / "run.npz")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot create the folder"):
        trainer.save(tmp_path / "file" / "run.npz")
    (tmp_path / "run.npz").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        trainer.save(tmp_path / "run.npz")


def test_missing_folders_are_created(trainer, tmp_path):
    trainer.save(tmp_path / "a" / "b" / "run.npz")
    assert os.listdir(tmp_path / "a" / "b") == ["run.npz"]
