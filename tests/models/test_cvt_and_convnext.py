"""CvT-13 and ConvNeXt-T: layer by layer against their papers, and what a run asks of a model."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from problems import fill_weights

from batchsel import Trainer, models
from batchsel.errors import UsageError
from batchsel.models.building import build_compiled
from batchsel.selectors import resolve
from batchsel.training.loop.compilation import Compilation, choose_compilation

SMALL = {
    "cvt13": "cvt13(width=4, depths=[0, 0, 2], drop_path=0.3)",
    "convnext_tiny": "convnext_tiny(width=4, depths=[1, 0, 0, 1], drop_path=0.3)",
}
WHOLE = {"cvt13": "cvt13(width=2, depths=[1, 1, 1])", "convnext_tiny": "convnext_tiny(width=4, depths=[1, 1, 1, 1])"}
SHALLOW = {"cvt13": "cvt13(width=4, depths=[0, 0, 1])", "convnext_tiny": "convnext_tiny(width=4, depths=[0, 0, 0, 1])"}
PICTURE = (32, 32, 3)


@pytest.fixture(scope="module")
def cvt13():
    return models.build("cvt13", (224, 224, 3), 1000)


def parameters(model, prefix=""):
    chosen = [layer for layer in model.layers if layer.name.startswith(prefix)]
    return sum(int(np.prod(weight.shape)) for layer in chosen for weight in layer.trainable_weights)


def normal(dim):
    return 2 * dim


def dense(inputs, units):
    return inputs * units + units


def embedding(kernel, channels, dim):
    return kernel**2 * channels * dim + dim + normal(dim)


def cvt_block(dim):
    projected = 3 * (9 * dim + normal(dim) + dense(dim, dim))
    return normal(dim) + projected + dense(dim, dim) + normal(dim) + dense(dim, 4 * dim) + dense(4 * dim, dim)


def test_each_stage_of_cvt13_has_the_parameters_of_the_paper(cvt13):
    assert parameters(cvt13, "stage1") == embedding(7, 3, 64) + cvt_block(64) == 61_696
    assert parameters(cvt13, "stage2") == embedding(3, 64, 192) + 2 * cvt_block(192) == 1_013_568
    assert parameters(cvt13, "stage3") == embedding(3, 192, 384) + 384 + 10 * cvt_block(384) == 18_536_448
    assert parameters(cvt13, "norm") + parameters(cvt13, "head") == normal(384) + dense(384, 1000)
    assert parameters(cvt13) == 19_997_480


def test_the_stages_of_cvt13_have_the_sizes_of_the_paper(cvt13):
    shapes = {"stage1": (56, 56, 64), "stage2": (28, 28, 192), "stage3_embedding": (14, 14, 384)}
    for name, shape in {**shapes, "stage3_block10": (1 + 14 * 14, 384)}.items():
        assert cvt13.get_layer(name).output.shape[1:] == shape
    for name, (heads, keys) in {"stage1_block1": (1, 28**2), "stage2_block2": (3, 14**2)}.items():
        assert cvt13.get_layer(f"{name}_attention").heads == heads
        assert cvt13.get_layer(f"{name}_key").output.shape[1] == keys
    assert cvt13.get_layer("stage3_block10_attention").heads == 6
    assert cvt13.get_layer("stage3_block10_value").output.shape[1] == 1 + 7 * 7


def test_the_stages_of_cvt13_on_cifar():
    model = models.build("cvt13(width=2, depths=[0, 0, 0])", (32, 32, 3), 10)
    sides = [model.get_layer(f"stage{stage}_embedding").output.shape[1] for stage in (1, 2, 3)]
    assert sides == [8, 4, 2]


def test_whole_branches_are_dropped_in_the_last_stage_of_cvt13_only(cvt13):
    dropping = [layer for layer in cvt13.layers if isinstance(layer, keras.layers.Dropout)]
    assert all(layer.noise_shape == (None, 1, 1) for layer in dropping)
    np.testing.assert_allclose([layer.rate for layer in dropping], np.repeat(np.linspace(0, 0.1, 10)[1:], 2))


def by_hand(model, x):
    """What CvT computes, written down with NumPy once more for a picture and one block a stage."""
    layer = model.get_layer

    def linear(name, x):
        kernel, bias = layer(name).get_weights()
        return x @ kernel + bias

    def normalized(name, x):
        scale, shift = layer(name).get_weights()
        moments = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - moments[0]) / np.sqrt(moments[1] + 1e-5) * scale + shift

    def windows(x, kernel, stride, padding):
        x = np.pad(x, ((padding, padding), (padding, padding), (0, 0)))
        rows, columns = ((side - kernel) // stride + 1 for side in x.shape[:2])
        starts = ([(stride * i, stride * j) for j in range(columns)] for i in range(rows))
        return np.array([[x[i : i + kernel, j : j + kernel] for i, j in row] for row in starts])

    def convolved(name, x, stride):
        kernel = layer(f"{name}_convolution").get_weights()[0][..., 0]
        scale, shift, mean, variance = layer(f"{name}_norm").get_weights()
        out = np.einsum("hwijc,ijc->hwc", windows(x, 3, stride, 1), kernel)
        return ((out - mean) / np.sqrt(variance + 1e-5) * scale + shift).reshape(-1, x.shape[-1])

    def attended(name, tokens, size, heads):
        extra, dim = len(tokens) - size[0] * size[1], tokens.shape[1]
        picture = tokens[extra:].reshape(*size, dim)
        q, k, v = (
            linear(f"{name}_{part}", np.concatenate([tokens[:extra], convolved(f"{name}_{part}", picture, stride)]))
            for part, stride in (("query", 1), ("key", 2), ("value", 2))
        )
        out = []
        for head in np.split(np.arange(dim), heads):
            scores = np.exp(q[:, head] @ k[:, head].T / np.sqrt(dim))
            out.append(scores / scores.sum(1, keepdims=True) @ v[:, head])
        return linear(f"{name}_projection", np.concatenate(out, axis=1))

    x = x / 255
    for stage, (kernel, stride, padding) in enumerate(((7, 4, 2), (3, 2, 1), (3, 2, 1)), 1):
        weights, bias = layer(f"stage{stage}_convolution").get_weights()
        x = np.einsum("hwijc,ijcd->hwd", windows(x, kernel, stride, padding), weights) + bias
        x = normalized(f"stage{stage}_embedding", x)
        size = x.shape[:2]
        x = x.reshape(-1, x.shape[-1])
        if stage == 3:
            x = np.concatenate([layer("stage3_class_token").get_weights()[0][0], x])
        name = f"stage{stage}_block1"
        x = x + attended(name, normalized(f"{name}_norm1", x), size, (1, 3, 6)[stage - 1])
        wide = linear(f"{name}_wide", normalized(f"{name}_norm2", x))
        x = x + linear(f"{name}_narrow", wide * scipy.stats.norm.cdf(wide))
        x = x if stage == 3 else x.reshape(*size, -1)
    return linear("head", normalized("norm", x[0]))


def test_cvt_matches_numpy():
    model = fill_weights(models.build(WHOLE["cvt13"], (32, 48, 3), 5))
    x = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    np.testing.assert_allclose(model(x[None])[0], by_hand(model, x), rtol=1e-3, atol=1e-4)


def convnext_block(dim):
    return 49 * dim + dim + normal(dim) + dense(dim, 4 * dim) + dense(4 * dim, dim) + dim


def test_convnext_tiny_matches_keras():
    model = fill_weights(models.build("convnext_tiny", (32, 32, 3), 1000))
    assert parameters(model, "stem") + parameters(model, "stage1") == embedding(4, 3, 96) + 3 * convnext_block(96)
    assert parameters(model, "stage2") == normal(96) + dense(4 * 96, 192) + 3 * convnext_block(192)
    assert parameters(model, "stage3") == normal(192) + dense(4 * 192, 384) + 9 * convnext_block(384)
    assert parameters(model, "stage4") == normal(384) + dense(4 * 384, 768) + 3 * convnext_block(768)
    assert parameters(model) == 28_589_128
    theirs = keras.applications.ConvNeXtTiny(weights=None, input_shape=(32, 32, 3), classifier_activation=None)
    pairs = zip(model.get_weights(), theirs.get_weights(), strict=True)
    # Theirs are convolutions in groups, whose kernels have the axes of channels the other way round.
    theirs.set_weights([ours.reshape(other.shape) for ours, other in pairs])
    x = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    np.testing.assert_allclose(model(x), theirs(x.astype(np.float32)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", [(28, 28, 1), (9, 20, 3)])
@pytest.mark.parametrize("name", SMALL)
def test_images_of_any_size_and_number_of_channels_are_accepted(name, shape):
    assert models.build(WHOLE[name], shape, 10).output_shape == (None, 10)


def samples(n=24):
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (n, *PICTURE)).astype(np.uint8), generator.integers(0, 4, n).astype(np.int32)


def ready(text, **options):
    keras.utils.set_random_seed(0)
    return build_compiled(text, PICTURE, 4, "classification", optimizer="sgd", learning_rate=0.1, **options)


@pytest.mark.parametrize("name", SMALL)
def test_training_starts_again_from_another_seed(name):
    x, y = samples()
    trainer = Trainer(ready(SMALL[name]), batch_size=8, compile="graph")
    starts, losses = [], []
    for seed in (1, 2, 1):
        trainer.reset(seed)
        starts.append(trainer.model.get_weights())
        losses.append(trainer.fit(x, y, epochs=2, verbose=0).history["loss"])
    drawn = [pair for pair in zip(*starts[:2], strict=True) if np.ptp(pair[0]) > 0]
    assert drawn
    assert not any(np.array_equal(*pair) for pair in drawn)
    assert all(np.array_equal(*pair) for pair in zip(starts[0], starts[2], strict=True))
    assert losses[0] == pytest.approx(losses[2], rel=1e-4)
    assert losses[0] != pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("mode", ["graph", "xla"])
@pytest.mark.parametrize("name", SHALLOW)
def test_mixed_precision_training_has_float32_logits(name, mode):
    x, y = samples()
    model = ready(SHALLOW[name], mixed_precision=True)
    losses = Trainer(model, batch_size=8, compile=mode).fit(x, y, epochs=4, verbose=0).history["loss"]
    assert model.layers[-2].compute_dtype == "bfloat16"
    assert model(x).dtype == tf.float32
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", SMALL)
def test_every_weight_gets_a_gradient(name):
    model = fill_weights(models.build(WHOLE[name], PICTURE, 4))
    x, y = samples(8)
    with tf.GradientTape() as tape:
        loss = keras.losses.sparse_categorical_crossentropy(y, model(x, training=True), from_logits=True)
    found = zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True)
    still = {weight.path.split("/")[0] for weight, gradient in found if not np.any(gradient)}
    # Of the last block only the class token is read, whose query no convolution has seen.
    unread = {"stage3_block1_query_convolution", "stage3_block1_query_norm"}
    assert still == (unread if name == "cvt13" else set())


@pytest.mark.parametrize("name", SMALL)
def test_the_training_loop_stays_a_plain_graph(name):
    parts = Compilation(all=False, planning=True, choosing=True)
    assert choose_compilation("auto", models.build(SMALL[name], PICTURE, 4), resolve("random"), 10**6) == parts


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's, of its own variables
@pytest.mark.parametrize("name", SMALL)
def test_copies_and_files_compute_the_same(name, tmp_path):
    model = fill_weights(ready(SMALL[name]))
    x, _ = samples(4)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(x), model(x))
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy(x), model(x))


@pytest.mark.parametrize("text", ["cvt13(depths=[1, 2])", "convnext_tiny(depths=[3, 3, 9])"])
def test_a_wrong_number_of_stages_is_refused(text):
    with pytest.raises(UsageError, match="depths must be a list of (3|4) items"):
        models.build(text, PICTURE, 4)
