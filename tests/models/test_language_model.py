"""The language model: its size, that it cannot look ahead, that it learns, and runs to a target of perplexity."""

import keras
import numpy as np
import pytest
from command_line import CommandLine

from batchsel import Trainer, models
from batchsel.models.building import build_compiled
from batchsel.models.perplexity import Perplexity

LENGTH, VOCABULARY = 12, 20
X = np.random.default_rng(0).integers(0, VOCABULARY, (64, LENGTH + 1)).astype(np.int32)
SMALL = "tiny_lm(width=32, heads=2)"


def small(**options):
    return build_compiled(SMALL, (LENGTH,), VOCABULARY, "language_model", learning_rate=0.01, **options)


def test_the_number_of_parameters_is_known():
    w, vocabulary, length, blocks = 128, 4096, 128, 2
    attention, feed_forward, norm = 4 * (w * w + w), 8 * w * w + 5 * w, 2 * w
    expected = vocabulary * w + length * w + blocks * (attention + feed_forward + 2 * norm) + norm
    model = models.build("tiny_lm", (length,), vocabulary)
    assert model.count_params() == expected == 937_472
    assert model.output_shape == (None, None, vocabulary)


def test_later_subwords_do_not_change_earlier_outputs():
    model = models.build(SMALL, (LENGTH,), VOCABULARY)
    changed = X[:4, :-1].copy()
    changed[:, 7] = (changed[:, 7] + 1) % VOCABULARY
    difference = np.abs(model(X[:4, :-1]).numpy() - model(changed).numpy()).max(axis=(0, 2))
    assert (difference[:7] == 0).all()
    assert (difference[7:] > 0).all()


def test_the_embedding_scores_the_subwords_too():
    model = models.build(SMALL, (LENGTH,), VOCABULARY)
    matrices = [weight for weight in model.trainable_weights if VOCABULARY in weight.shape]
    assert len(matrices) == 1


@pytest.mark.parametrize("compile", ["graph", "xla"])
@pytest.mark.parametrize("selector", ["random", "loss_ema", "loss_threshold"])
def test_tiny_lm_memorizes_64_sequences(selector, compile):
    keras.utils.set_random_seed(0)
    trainer = Trainer(small(), selector, batch_size=16, compile=compile, seed=0)
    # What follows the first subword of a sequence is known only if that differs from the others'.
    x, y = X[:, 4:-1], X[:, 5:]
    history = trainer.fit(x, y, epochs=180, verbose=0).history
    # The history is that of the chosen, which are the hard ones for selectors that prefer them.
    assert trainer.evaluate(x, y)["loss"] < 0.1 * history["loss"][0] or selector == "loss_threshold"
    assert history["perplexity"][-1] < 0.2 * history["perplexity"][0]
    assert trainer.losses.shape == (64,)


def test_the_loss_of_a_sample_is_the_mean_over_its_subwords():
    trainer = Trainer(small(), "fixed", batch_size=64, compile="graph")
    logits = trainer.model(X[:, :-1]).numpy()
    trainer.fit(X[:, :-1], X[:, 1:], epochs=1, verbose=0)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    expected = -np.take_along_axis(log_p, X[:, 1:, None], axis=-1)[..., 0].mean(axis=1)
    np.testing.assert_allclose(trainer.losses, expected, rtol=1e-5)
    history = trainer.history
    assert history["perplexity"][0] == pytest.approx(np.exp(expected.mean()), rel=1e-5)


@pytest.mark.parametrize("weights", [None, np.array([1.0, 0.0, 2.0], "float32")])
def test_perplexity_matches_keras_fit(weights):
    logits = np.random.default_rng(1).normal(size=(3, 4, 5)).astype("float32")
    targets = np.random.default_rng(2).integers(0, 5, (3, 4))
    losses = keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True).numpy()
    metric, other = Perplexity(), Perplexity()
    metric.update_state(targets, logits, weights)
    with other.lend_losses(losses, None):
        other.update_state(targets, None, weights)
    expected = np.exp(np.average(losses.mean(axis=1), weights=weights))
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)
    assert float(other.result()) == pytest.approx(expected, rel=1e-5)


def test_perplexity_leaves_out_steps_without_a_target_in_keras_too():
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=3)
    model = keras.Sequential([keras.Input((4, 5)), keras.layers.Dense(6)])
    model.compile("sgd", loss, metrics=[Perplexity(ignore_class=3)])
    x = np.random.default_rng(1).normal(size=(10, 4, 5)).astype("float32")
    y = np.random.default_rng(2).integers(0, 6, (10, 4))
    y[2] = 3
    log_p = np.log(keras.ops.softmax(model(x)))
    losses = -np.take_along_axis(log_p, y[..., None], axis=-1)[..., 0]
    expected = np.exp(losses[y != 3].mean())
    assert model.evaluate(x, y, verbose=0, return_dict=True)["perplexity"] == pytest.approx(expected, rel=1e-5)
    found = Trainer(model, batch_size=4, compile="graph").evaluate(x, y)
    assert found["perplexity"] == pytest.approx(expected, rel=1e-5)
    assert Perplexity.from_config(Perplexity(ignore_class=3).get_config()).ignore_class == 3


def test_evaluated_perplexity_matches_its_loss():
    model = small()
    results = Trainer(model, compile="graph").evaluate(X[:, :-1], X[:, 1:])
    assert results["perplexity"] == pytest.approx(np.exp(results["loss"]), rel=1e-5)
    keras_results = model.evaluate(X[:, :-1], X[:, 1:], verbose=0, return_dict=True)
    assert results["perplexity"] == pytest.approx(keras_results["perplexity"], rel=1e-5)


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return CommandLine(monkeypatch, capfd)


def write_book(path):
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "an", "owl", "in", "its", "tree", "by", "night"]
    generator = np.random.default_rng(0)
    path.write_text("\n\n".join(" ".join(generator.choice(words, 60)) + "." for _ in range(200)))


@pytest.mark.parametrize("selector", ["random", "loss_ema"])
def test_a_user_text_is_trained_to_a_perplexity(command, tmp_path, selector):
    write_book(tmp_path / "book.txt")
    words = f"run --dataset lm_text --file book.txt --model {SMALL!r} --budget 20 --evaluations 5 --selector {selector}"
    result = command(*words.replace("'", "").replace(SMALL, "MODEL").split(), "--target", "perplexity<=25")
    assert result.code == 2  # no model of that name: told before the text is read
    words = words.replace(repr(SMALL), "MODEL").split()
    words[words.index("MODEL")] = SMALL
    result = command(*words, "--target", "perplexity<=25")
    assert result.code == 0, result.err
    assert "perplexity<=25 reached" in result.out
    assert "warmup" in result.out
    (folder,) = (tmp_path / "runs").glob("*/vocabulary.json")
    assert "merges" in folder.read_text()
    assert (folder.parent / "checkpoint.npz").is_file()
    result = command("predict", str(folder.parent), "the cat sat on")
    assert result.code == 0, result.err
    assert "the cat sat on" in result.out
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "an", "owl", "in", "its", "tree", "by", "night"]
    assert sum(word in result.out.split() for word in words) > 4
    assert "a language model continues a text" in command("predict", str(folder.parent)).err


def test_files_that_are_not_text_are_refused(command):
    assert "not with digits" in command("run", "--dataset", "digits", "--file", "book.txt").err
    assert "expected a text" in command("run", "--dataset", "lm_text", "--file", "book.pdf").err
    result = command("run", "--dataset", "lm_text", "--file", "book.txt", "--target", "perplexity<=9")
    assert "No such file" in result.err
    assert result.code == 1


def test_a_perplexity_target_is_reached_from_above(command, tmp_path):
    write_book(tmp_path / "book.txt")
    result = command("run", "--dataset", "./book.txt", "--target", "perplexity>=25")
    assert "reverse the sign, perplexity should fall" in result.err
