"""Models that train by code of their own, and losses that are one number for a batch; the same weights each time."""

import keras
import numpy as np
import tensorflow as tf
from problems import classes, compile_model, fill_weights, mlp

N, B = 50, 8
X, Y = classes(N)
WEIGHT = np.random.default_rng(4).uniform(0.2, 3, N).astype("float32")


class OwnStep(keras.Sequential):
    """The train step of Keras's guide: a tape, an update, and each metric by hand."""

    def train_step(self, data):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            outputs = self(x, training=True)
            loss = self.compute_loss(x, y, outputs, weight)
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True)
        )
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, outputs, sample_weight=weight)
        return {metric.name: metric.result() for metric in self.metrics}


class StepOfKeras(keras.Sequential):
    """An override that changes nothing."""

    def train_step(self, data):
        return super().train_step(data)


class Counting(keras.Sequential):
    """A step that counts the rows of its batch in Python code."""

    def train_step(self, data):
        rows = tf.py_function(lambda x: x.shape[0], [data[0]], tf.float32)
        return super().train_step(data) | {"rows": tf.ensure_shape(rows, [])}


def dense(kind, **options):
    layers = [keras.Input((4,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(3)]
    return compile_model(kind(layers), **options)


class Noise(keras.layers.Layer):
    """The sampling layer of a variational autoencoder, with its divergence as a loss that it adds."""

    def __init__(self):
        super().__init__()
        self.generator = keras.random.SeedGenerator(3)

    def call(self, inputs):
        mean, spread = inputs[:, :2], inputs[:, 2:]
        self.add_loss(-0.05 * keras.ops.mean(1 + spread - mean**2 - keras.ops.exp(spread)))
        return mean + keras.ops.exp(0.5 * spread) * keras.random.normal(keras.ops.shape(mean), seed=self.generator)


class Autoencoder(keras.Sequential):
    """Reconstruction of the inputs by `compute_loss`, whatever the targets."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean((x - y_pred) ** 2) + keras.ops.sum(self.losses)


def autoencoder():
    layers = [keras.Input((4,)), keras.layers.Dense(4), Noise(), keras.layers.Dense(4)]
    model = fill_weights(Autoencoder(layers))
    model.compile(keras.optimizers.Adam(0.01))
    return model


class VAE(keras.Model):
    """The variational autoencoder of Keras's examples: inputs alone, logs with other names than its metrics."""

    def __init__(self):
        super().__init__()
        self.encoder = fill_weights(keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)]), 1)
        self.decoder = fill_weights(keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)]), 2)
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")
        self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")

    @property
    def metrics(self):
        return [self.total_loss_tracker, self.kl_loss_tracker]

    def train_step(self, data):
        with tf.GradientTape() as tape:
            code = self.encoder(data)
            mean, spread = code[:, :2], code[:, 2:]
            reconstruction = tf.reduce_mean((data - self.decoder(mean)) ** 2)
            divergence = -0.05 * tf.reduce_mean(1 + spread - mean**2 - tf.exp(spread))
            total = reconstruction + divergence
        gradients = tape.gradient(total, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        self.total_loss_tracker.update_state(total)
        self.kl_loss_tracker.update_state(divergence)
        return {"loss": self.total_loss_tracker.result(), "kl_loss": self.kl_loss_tracker.result()}

    def test_step(self, data):
        reconstruction = tf.reduce_mean((data - self.decoder(self.encoder(data)[:, :2])) ** 2)
        return {"reconstruction": reconstruction}


def vae(rate=0.01):
    model = VAE()
    model.compile(keras.optimizers.SGD(rate))
    return model


class GAN(keras.Model):
    """The adversarial network of Keras's guide: two optimizers, no call, no compiled loss, noise without a state of it."""

    def __init__(self):
        super().__init__()
        self.critic = fill_weights(
            keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)]), 1
        )
        self.generator = fill_weights(
            keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(4)]), 2
        )
        self.seed_generator = keras.random.SeedGenerator(7)
        self.d_loss_tracker = keras.metrics.Mean(name="d_loss")
        self.g_loss_tracker = keras.metrics.Mean(name="g_loss")

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    @property
    def metrics(self):
        return [self.d_loss_tracker, self.g_loss_tracker]

    def train_step(self, real):
        real = real[0] if isinstance(real, tuple) else real
        rows = tf.shape(real)[0]
        fake = self.generator(keras.random.normal([rows, 2], seed=self.seed_generator))
        labels = tf.concat([tf.ones([rows, 1]), tf.zeros([rows, 1])], axis=0)
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.critic(tf.concat([real, fake], axis=0)))
        weights = self.critic.trainable_weights
        self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
        noise = keras.random.normal([rows, 2], seed=self.seed_generator)
        with tf.GradientTape() as tape:
            g_loss = self.loss_fn(tf.ones([rows, 1]), self.critic(self.generator(noise)))
        weights = self.generator.trainable_weights
        self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
        self.d_loss_tracker.update_state(d_loss)
        self.g_loss_tracker.update_state(g_loss)
        return {"d_loss": self.d_loss_tracker.result(), "g_loss": self.g_loss_tracker.result()}


def gan():
    model = GAN()
    model.compile(
        keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.02), keras.losses.BinaryCrossentropy(from_logits=True)
    )
    return model


def contrastive(y_true, y_pred):
    """Supervised contrastive loss: one number for a batch, in which every sample is compared with all others."""
    codes = keras.ops.normalize(y_pred)
    shares = keras.ops.log_softmax(2 * keras.ops.matmul(codes, keras.ops.transpose(codes)))
    classes = keras.ops.reshape(y_true, [-1, 1])
    same = keras.ops.cast(classes == keras.ops.transpose(classes), "float32")
    return -keras.ops.sum(same * shares) / keras.ops.sum(same)


class OwnCall(keras.losses.Loss):
    def __call__(self, y_true, y_pred, sample_weight=None):
        return contrastive(y_true, y_pred)


def with_sum():
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    return mlp(loss=loss, optimizer=keras.optimizers.SGD(0.01), weighted_metrics=["accuracy"])


def with_contrastive():
    return mlp(loss=contrastive, regularizer="l2")


class Penalty(keras.layers.Layer):
    """Adds the mean square of its inputs, less the targets if there are any, as a loss."""

    def call(self, inputs, targets=0.0):
        self.add_loss(keras.ops.mean((inputs - targets) ** 2))
        return inputs


def with_layer_losses():
    inputs = keras.Input((4,))
    model = fill_weights(keras.Model(inputs, Penalty()(keras.layers.Dense(3)(inputs))))
    model.compile(keras.optimizers.SGD(0.05))
    return model


def with_endpoint():
    inputs = {"x": keras.Input((4,), name="x"), "y": keras.Input((1,), name="y")}
    model = fill_weights(keras.Model(inputs, Penalty()(keras.layers.Dense(1)(inputs["x"]), inputs["y"])))
    model.compile(keras.optimizers.SGD(0.05))
    return model


def with_own_call():
    return mlp(loss=OwnCall(), metrics=None)
