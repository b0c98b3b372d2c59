"""Every model by name: its size, that it learns, and that padding does not change what it says."""

import keras
import numpy as np
import pytest

from batchsel import Trainer, models
from batchsel.errors import UsageError

PICTURE, TEXT = (32, 32, 3), (40,)
TRAINABLE = {
    "mlp": ((13,), 3, 5_251),
    "cnn": ((28, 28, 1), 10, 225_034),
    "simple_cnn": (PICTURE, 10, 94_538),
    "cnn3": (PICTURE, 10, 5_852_170),
    "resnet18": (PICTURE, 10, 11_173_962),
    "resnet34": (PICTURE, 10, 21_282_122),
    "resnet50": (PICTURE, 10, 23_520_842),
    "resnet101": (PICTURE, 10, 42_512_970),
    "wide_resnet": (PICTURE, 10, 36_479_194),
    "convnext_tiny": (PICTURE, 10, 27_827_818),
    "cvt13": (PICTURE, 10, 19_616_330),
    "lstm": (TEXT, 2, 1_313_154),
    "bilstm": (TEXT, 2, 1_346_306),
    "simple_rnn": (TEXT, 2, 1_288_386),
    "text_cnn": (TEXT, 2, 1_329_730),
    "transformer_classifier": (TEXT, 2, 1_382_786),
}
IMAGENET = {"resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032, "resnet101": 44_549_160}
SMALL = {
    "mlp": ("mlp", (13,)),
    "cnn": ("cnn(filters=[8, 16], units=32)", (16, 16, 1)),
    "simple_cnn": ("simple_cnn", (8, 8, 3)),
    "cnn3": ("cnn3(dropout=False)", (8, 8, 3)),
    "resnet18": ("resnet18(width=8)", (8, 8, 3)),
    "resnet34": ("resnet34(width=4)", (8, 8, 3)),
    "resnet50": ("resnet50(width=4)", (8, 8, 3)),
    "resnet101": ("resnet101(width=2)", (8, 8, 3)),
    "wide_resnet": ("wide_resnet(depth=10, widen=1)", (8, 8, 3)),
    "convnext_tiny": ("convnext_tiny(width=8, depths=[1, 1, 1, 1], drop_path=0.0)", (8, 8, 3)),
    "cvt13": ("cvt13(width=8, depths=[1, 1, 1])", (16, 16, 3)),
    "lstm": ("lstm(vocabulary=50, width=16, units=16)", (12,)),
    "bilstm": ("bilstm(vocabulary=50, width=16, units=16)", (12,)),
    "simple_rnn": ("simple_rnn(vocabulary=50, width=16, units=16)", (12,)),
    "text_cnn": ("text_cnn(vocabulary=50, width=16, filters=8)", (12,)),
    "transformer_classifier": ("transformer_classifier(vocabulary=50, width=16, dropout=0.0)", (12,)),
}
FITTED = {"simple_cnn": (16, 0.003), "resnet101": (64, 0.01), "cvt13": (64, 0.01)}
"""Batch size and learning rate where 16 and 0.01 do not do."""
TEXT_MODELS = [name for name, (shape, _, _) in TRAINABLE.items() if shape == TEXT]


def size(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_every_model_is_in_the_tables():
    assert set(models.names()) - {"tiny_lm"} == set(TRAINABLE) == set(SMALL)


@pytest.mark.parametrize("name", TRAINABLE)
def test_every_model_has_its_documented_number_of_parameters(name):
    shape, outputs, expected = TRAINABLE[name]
    model = models.build(name, shape, outputs)
    assert size(model) == expected
    assert model.output_shape == (None, outputs)
    assert model.layers[-1].activation is keras.activations.linear


@pytest.mark.parametrize("name", IMAGENET)
def test_large_images_get_the_imagenet_stem(name):
    model = models.build(name, (224, 224, 3), 1000)
    assert size(model) == IMAGENET[name]
    pooled = next(layer for layer in model.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D))
    assert pooled.input.shape[1:3] == (7, 7)


def samples(shape, n=64):
    generator = np.random.default_rng(0)
    if len(shape) == 1 and shape[0] == 12:
        lengths = generator.integers(3, 13, n)
        x = np.where(np.arange(12) < lengths[:, None], generator.integers(2, 50, (n, 12)), 0).astype(np.int32)
    elif len(shape) == 3:
        x = generator.integers(0, 256, (n, *shape)).astype(np.uint8)
    else:
        x = generator.normal(size=(n, *shape)).astype(np.float32)
    return x, generator.integers(0, 4, n).astype(np.int32)


class StopBelow(keras.callbacks.Callback):
    """Stops training where the loss is below a share of the first."""

    def __init__(self, share):
        super().__init__()
        self.share, self.first = share, None

    def on_epoch_end(self, epoch, logs=None):
        self.first = self.first or logs["loss"]
        self.model.stop_training = logs["loss"] < self.share * self.first


@pytest.mark.parametrize("name", SMALL)
def test_every_model_memorizes_64_samples(name):
    text, shape = SMALL[name]
    keras.utils.set_random_seed(0)
    x, y = samples(shape)
    model = models.build(text, shape, 4)
    batch_size, rate = FITTED.get(name, (16, 0.01))
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    trainer = Trainer(model, batch_size=batch_size, seed=0)
    losses = trainer.fit(x, y, epochs=60, callbacks=[StopBelow(0.1)], verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_padding_does_not_change_the_outputs(name):
    text, shape = SMALL[name]
    model = models.build(text, shape, 4)
    x, _ = samples(shape)
    short = np.where(np.arange(12) < 7, np.maximum(x, 2), 0)
    np.testing.assert_allclose(model(short), model(short[:, :7]), rtol=1e-4, atol=1e-5)


def test_an_impossible_depth_is_refused():
    with pytest.raises(UsageError, match="depth must be 4 more than a multiple of 6, as in 28, got 27"):
        models.build("wide_resnet(depth=27)", PICTURE, 10)
