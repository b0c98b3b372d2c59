"""Groups of layers by depth: every trainable variable in exactly one, and in the right one."""

import json
from functools import cache

import keras
import numpy as np
import pytest
from command_line import CommandLine
from keras import layers

from batchsel import models
from batchsel.errors import UserError
from batchsel.training.optim.layer_groups import layer_groups

IMAGE, TEXT = (32, 32, 3), (12,)
TINY = {
    "mlp": ("mlp", (13,)),
    "cnn": ("cnn(filters=[4, 4], units=8)", (16, 16, 1)),
    "simple_cnn": ("simple_cnn", (8, 8, 3)),
    "cnn3": ("cnn3", (8, 8, 3)),
    "resnet18": ("resnet18(width=8)", IMAGE),
    "resnet34": ("resnet34(width=2)", (8, 8, 3)),
    "resnet50": ("resnet50(width=2)", (8, 8, 3)),
    "resnet101": ("resnet101(width=2)", (8, 8, 3)),
    "wide_resnet": ("wide_resnet(depth=10, widen=1)", (8, 8, 3)),
    "convnext_tiny": ("convnext_tiny(width=4)", IMAGE),
    "cvt13": ("cvt13(width=4)", IMAGE),
    "lstm": ("lstm(vocabulary=50, width=8, units=8)", TEXT),
    "bilstm": ("bilstm(vocabulary=50, width=8, units=8)", TEXT),
    "simple_rnn": ("simple_rnn(vocabulary=50, width=8, units=8)", TEXT),
    "text_cnn": ("text_cnn(vocabulary=50, width=8, filters=4)", TEXT),
    "transformer_classifier": ("transformer_classifier(vocabulary=50, width=8)", TEXT),
    "tiny_lm": ("tiny_lm(width=8)", TEXT),
}
DEPTHS = {
    "mlp": 3,  # two hidden layers and the outputs
    "resnet18": 1 + 8 * 2 + 1,  # stem, two convolutions a block, outputs
    "resnet34": 1 + 16 * 2 + 1,
    "resnet50": 1 + 16 * 3 + 1,
    "resnet101": 1 + 33 * 3 + 1,
    "wide_resnet": 1 + 3 * 2 + 1,
    "convnext_tiny": 1 + 3 + 18 * 3 + 1,  # stem, three that downsample, three layers a block
    "cvt13": 3 + 13 * 5 + 1 + 1,  # an embedding a stage, five layers a block, the class token
    "lstm": 3,
    "bilstm": 3,
    "simple_rnn": 3,
    "text_cnn": 3,  # its convolutions are parallel
    "transformer_classifier": 2 + 2 * 3 + 1,  # embedding, positions; attention and two layers a block
    "tiny_lm": 2 + 2 * 3,  # the embedding also computes the outputs, and counts at its first use
}


@cache
def build_model(name):
    text, shape = TINY[name]
    return models.build(text, shape, 10)


def group_by_layer(groups):
    """Group of each layer, by name."""
    return {name: group for group, names in enumerate(groups.names) for name in names}


def test_every_model_is_in_the_table():
    assert set(TINY) == set(models.names())


@pytest.mark.parametrize("name", TINY)
def test_every_variable_is_in_exactly_one_group(name):
    model = build_model(name)
    groups = layer_groups(model)
    assert len(groups.indices) == len(model.trainable_variables)
    assert sorted(set(groups.indices)) == list(range(len(groups.names)))
    assert len(groups.names) == DEPTHS.get(name, len(groups.names))
    assert groups.sizes == tuple(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert sum(row["variables"] for row in groups.rows()) == len(groups.indices)
    assert sum(row["parameters"] for row in groups.rows()) == sum(groups.sizes)
    assert groups.positions[0] == 0
    assert groups.positions[-1] == 1
    np.testing.assert_allclose(np.diff(groups.positions), 1 / (len(groups.names) - 1))
    last = [id(variable) for variable in model.layers[-1].trainable_variables]
    groups_of_last = {
        group for variable, group in zip(model.trainable_variables, groups.indices, strict=True) if id(variable) in last
    }
    assert groups_of_last == {len(groups.names) - 1}


@pytest.mark.parametrize("name", ["resnet18", "cvt13", "convnext_tiny", "transformer_classifier"])
@pytest.mark.parametrize("parts", [1, 2, 5])
def test_depths_are_merged_evenly_and_in_order(name, parts):
    whole, merged = layer_groups(build_model(name)), layer_groups(build_model(name), parts)
    assert len(merged.names) == parts
    depths = [
        len({fine for fine, own in zip(whole.indices, merged.indices, strict=True) if own == part})
        for part in range(parts)
    ]
    assert max(depths) - min(depths) <= 1
    assert merged.indices == tuple(group * parts // len(whole.names) for group in whole.indices)
    assert merged.positions == tuple(part / max(parts - 1, 1) for part in range(parts))


def test_a_projection_is_as_deep_as_the_first_convolution_beside_it():
    model = build_model("resnet18")
    groups = group_by_layer(layer_groups(model))
    projections = [layer for layer in model.layers if getattr(layer, "kernel_size", None) == (1, 1)]
    assert [groups[layer.name] for layer in projections] == [5, 9, 13]


def test_vectors_have_the_depth_of_the_layer_before():
    groups = group_by_layer(layer_groups(build_model("convnext_tiny")))
    block = [groups[f"stage3_block2_{part}"] for part in ("convolution", "norm", "wide", "narrow", "scale")]
    assert np.diff(block).tolist() == [0, 1, 1, 0]
    assert groups["stage4_norm"] == groups["stage3_block9_narrow"] == groups["stage4_smaller"] - 1


def test_query_key_and_value_have_the_same_depth():
    groups = group_by_layer(layer_groups(build_model("cvt13")))
    for part in ("", "_convolution", "_norm"):
        assert len({groups[f"stage3_block7_{which}{part}"] for which in ("query", "key", "value")}) == 1
    assert groups["stage3_block7_projection"] == groups["stage3_block7_query"] + 1 == groups["stage3_block7_norm1"] + 3


def test_nested_models_are_traversed_and_branches_have_separate_paths():
    inside = keras.Input((4,))
    one, other = layers.Dense(4, name="one")(inside), layers.Dense(4, name="two")(layers.Dense(4, name="first")(inside))
    inner = keras.Model(inside, [one, other], name="inner")
    chain = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="a"), layers.Dense(4, name="b")], name="chain")
    inputs = keras.Input((4,))
    short, long = inner(layers.BatchNormalization(name="before")(inputs))
    both = keras.ops.relu(layers.Dense(3, name="behind_one")(short)) + layers.Dense(3, name="behind_two")(long)
    model = keras.Model(inputs, layers.Dense(2, name="outputs")(layers.Concatenate()([both, chain(long)])))
    assert layer_groups(model).names == (
        ("before", "inner/first", "inner/one"),
        ("inner/two", "behind_one"),
        ("behind_two", "chain/a"),
        ("chain/b",),
        ("outputs",),
    )


def test_a_shared_layer_counts_at_its_first_use():
    shared, inputs = layers.Dense(4, name="shared"), keras.Input((4,))
    again = shared(layers.Dense(4, name="between")(shared(inputs)))
    model = keras.Model(inputs, layers.Dense(2, name="outputs")(again))
    assert layer_groups(model).names == (("shared",), ("between",), ("outputs",))
    assert group_by_layer(layer_groups(build_model("tiny_lm")))["subwords"] == 0


def test_a_shared_layer_counts_at_the_end_of_the_shorter_path():
    """Keras sorts by the path to the outputs, so the deeper use may come first."""
    shared, inputs = layers.Dense(4, name="shared"), keras.Input((4,))
    deep = layers.Dense(4, name="behind")(shared(layers.Dense(4, name="before")(inputs)))
    for both in ([shared(inputs), deep], [deep, shared(inputs)]):
        model = keras.Model(inputs, layers.Dense(2, name="outputs")(layers.Add()(both)))
        assert group_by_layer(layer_groups(model)) == {"shared": 0, "before": 0, "behind": 1, "outputs": 2}


def test_a_shared_model_counts_at_its_first_use():
    encoder = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="code")], name="encoder")
    left, right = keras.Input((4,)), keras.Input((4,))
    deep = encoder(layers.Dense(4, name="before")(right))
    model = keras.Model([left, right], layers.Dense(1, name="outputs")(layers.Add()([encoder(left), deep])))
    assert layer_groups(model).names == (("before", "encoder/code"), ("outputs",))


class Block(layers.Layer):
    """A composite layer that is not a model."""

    def __init__(self, **options):
        super().__init__(**options)
        self.wide, self.narrow = layers.Dense(8), layers.Dense(4)

    def build(self, shape):
        self.wide.build(shape)
        self.narrow.build((*shape[:-1], 8))

    def call(self, x):
        return self.narrow(self.wide(x))


class Subclassed(keras.Model):
    """A model without a graph, with a weight of its own and a model inside."""

    def __init__(self):
        super().__init__()
        self.scale = self.add_weight(shape=(4,), initializer="ones", name="scale")
        self.first = layers.Dense(4, name="first")
        self.norm = layers.BatchNormalization(name="norm")
        self.inner = keras.Sequential([layers.Dense(4, name="a"), layers.Dense(4, name="b")], name="inner")
        self.outputs_layer = layers.Dense(2, name="last")

    def call(self, x):
        return self.outputs_layer(self.inner(self.norm(self.first(x * self.scale))))


def test_a_composite_layer_is_one_step():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="first"), Block(name="middle")])
    model.add(layers.Dense(2, name="last"))
    assert layer_groups(model).names == (("first",), ("middle",), ("last",))


def test_layers_of_a_subclassed_model_form_a_chain():
    model = Subclassed()
    model(np.zeros((1, 4), np.float32))
    groups = layer_groups(model)
    assert groups.names == ((model.name, "first", "norm"), ("inner/a",), ("inner/b",), ("last",))
    inputs = keras.Input((4,))
    outer = keras.Model(inputs, layers.Dense(1, name="end")(model(layers.Dense(4, name="start")(inputs))))
    assert len(layer_groups(outer).names) == 6
    assert len(layer_groups(outer).indices) == len(outer.trainable_variables)


def test_frozen_layers_have_no_group_and_no_depth():
    frozen = layers.Dense(4, name="frozen", trainable=False)
    model = keras.Sequential([keras.Input((4,)), frozen, layers.Dense(4, name="free"), layers.Dense(2, name="last")])
    assert layer_groups(model).names == (("free",), ("last",))


def test_a_single_group_is_at_the_inputs():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    assert layer_groups(model).positions == (0.0,)
    assert layer_groups(model).indices == (0, 0)


def test_impossible_groups_and_models_without_variables_are_rejected():
    with pytest.raises(UserError, match="no trainable variables to group. Build it first"):
        layer_groups(keras.Sequential([layers.Dense(2)]))
    for wrong in (0, 4, 1.0, True):
        with pytest.raises(UserError, match="groups must be a whole number from 1 to 3"):
            layer_groups(build_model("mlp"), wrong)


def test_the_command_prints_the_table(monkeypatch, capfd):
    command = CommandLine(monkeypatch, capfd)
    words = ("models", "groups", "mlp(hidden=[8, 8])", "--input-shape", "4", "--outputs", "3")
    lines = command(*words, "--schedule", "lerac(eta_min=1e-5)").out.splitlines()
    assert lines[0].split() == ["GROUP", "LAYERS", "VARIABLES", "PARAMETERS", "RATE"]
    assert [line.split()[0] for line in lines[1:]] == ["0", "1", "2"]
    assert [line.split()[-1] for line in lines[1:]] == ["0.1", "0.001", "1e-05"]
    rows = json.loads(command(*words, "--groups", "2", "--json").out)["groups"]
    assert [(row["variables"], row["parameters"]) for row in rows] == [(4, 4 * 8 + 8 + 8 * 8 + 8), (2, 8 * 3 + 3)]
    assert "one rate for all layers" in command(*words, "--schedule", "cosine").err
    assert command(*words[:4], "4,x", *words[5:]).code == 2
