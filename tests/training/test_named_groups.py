"""Layers by name: one naming for groups, diagnostics and records; groups by block as LeRaC's authors have them."""

import json

import keras
import numpy as np
import pytest
from command_line import CommandLine

from batchsel import Trainer, models
from batchsel.errors import UserError
from batchsel.schedules import schedule
from batchsel.training.diagnostics.feature_snr import FeatureSNR
from batchsel.training.optim.layer_groups import layer_groups
from batchsel.training.optim.layer_rates import initial_layer_rates

IMAGE = (32, 32, 3)


def authors_rates(eta, smallest, head, blocks):
    """Return rates as the authors' code for ResNet-18 computes them: stem, blocks, classifier."""
    rates, rate = [eta], eta * 0.1
    for _ in range(blocks):
        rates.append(rate)
        rate *= 0.1 if rate > smallest else 1
    return [*rates, eta * head]


def test_rates_of_blocks_are_those_of_the_authors_code():
    text = "lerac(form='multiplicative', eta_min=1e-7, head=1e-5, groups='blocks')"
    lerac = schedule(text)
    groups = layer_groups(models.build("resnet18(width=2)", IMAGE, 10), lerac.layer_grouping)
    rates = initial_layer_rates(lerac, groups, 0.1)
    np.testing.assert_allclose(rates, authors_rates(0.1, 1.01e-7, 1e-5, 8), rtol=1e-5)
    assert groups.names[0] == ("conv2d_1", "batch_normalization_1")
    assert groups.names[-1] == ("dense_1",)
    for number, names in enumerate(groups.names[1:-1]):
        block = f"stage{number // 2 + 1}_block{number % 2 + 1}"
        assert {name.rsplit("_", 2 if "projection_norm" in name else 1)[0] for name in names} == {block}


@pytest.mark.parametrize(
    "name", ["resnet50(width=2)", "wide_resnet(depth=10, widen=1)", "convnext_tiny(width=4)", "cvt13(width=4)"]
)
@pytest.mark.parametrize("kind", ["blocks", "stages"])
def test_every_variable_is_in_one_group_in_the_order_of_depth(name, kind):
    model = models.build(name, IMAGE, 10)
    fine, coarse = layer_groups(model), layer_groups(model, kind)
    assert len(coarse.indices) == len(model.trainable_variables)
    assert set(coarse.indices) == set(range(len(coarse.names)))
    means = [
        np.mean([depth for depth, own in zip(fine.indices, coarse.indices, strict=True) if own == group])
        for group in range(len(coarse.names))
    ]
    assert means == sorted(means)
    stages = {
        part for names in coarse.names for each in names for part in [each.split("_")[0]] if part.startswith("stage")
    }
    assert len(coarse.names) >= len(stages)


def test_layers_between_blocks_belong_to_the_next_one():
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(4, name="stem")(inputs)
    for name in ("block1_a", "block1_b", "between", "block2_a"):
        hidden = keras.layers.Dense(4, name=name)(hidden)
    model = keras.Model(inputs, keras.layers.Dense(2, name="head")(hidden))
    assert layer_groups(model, "blocks").names == (
        ("stem",), ("block1_a", "block1_b"), ("between", "block2_a"), ("head",),
    )  # fmt: skip


def test_names_do_not_depend_on_the_process_and_are_those_of_the_snr():
    models.build("resnet18(width=2)", IMAGE, 10)  # after which Keras counts on
    model = models.build("resnet18(width=2)", IMAGE, 10)
    names = [name for group in layer_groups(model).names for name in group]
    snr = FeatureSNR(model).layers
    assert (names[0], names[-1]) == (snr[0], snr[-1]) == ("conv2d_1", "dense_1")
    blocks = [name.rsplit("_", 1)[0] for name in names if name.endswith("_convolution1")]
    assert snr[1:-1] == blocks
    plain = models.build("mlp(hidden=[4, 4])", (3,), 2)
    assert [group[0] for group in layer_groups(plain).names] == FeatureSNR(plain).layers


def test_a_run_has_the_groups_of_its_schedule():
    model = keras.Sequential([keras.Input((4,)), *(keras.layers.Dense(4, name=f"block{i}") for i in (1, 2, 3))])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    trainer = Trainer(model, batch_size=4, schedule="lerac(1.0, eta_min=1e-3, groups=2)", compile="graph")
    trainer.fit(np.ones([8, 4], "float32"), np.zeros([8, 4], "float32"), epochs=1, verbose=0)
    assert trainer.layer_groups.names == (("block1", "block2"), ("block3",))
    assert trainer.schedule_log["names"] == ["learning rate", "rate of group 0", "rate of group 1"]
    first = trainer.schedule_log["values"][0]
    np.testing.assert_allclose(first[1:], [0.1, 1e-3], rtol=1e-5)


def test_schedules_that_group_layers_differently_are_refused():
    with pytest.raises(UserError, match="layers are grouped in 2 ways"):
        schedule("lerac(groups=3) | lerac(groups='blocks')")
    assert schedule("cosine | lerac(groups=3)").layer_grouping == 3


def test_groups_without_names_are_refused():
    with pytest.raises(UserError, match="no layer of the model names its block, as in"):
        layer_groups(models.build("mlp", (3,), 2), "blocks")
    with pytest.raises(UserError, match="groups must be a whole number or one of blocks, stages"):
        layer_groups(models.build("mlp", (3,), 2), "parts")


def test_rates_that_no_run_can_have_are_not_shown(monkeypatch, capfd):
    command = CommandLine(monkeypatch, capfd)
    words = ("models", "groups", "resnet18(width=2)", "--input-shape", "32,32,3", "--outputs", "10")
    result = command(*words, "--groups", "9", "--schedule", "lerac")
    assert result.code == 2
    assert "as in lerac(groups=9). Leave out --groups." in result.err
    rows = json.loads(command(*words, "--schedule", "lerac(groups=9)", "--json").out)["groups"]
    assert len(rows) == 9
    np.testing.assert_allclose([row["rate"] for row in rows], 0.1 * np.logspace(0, -7, 9), rtol=1e-4)
    assert len(json.loads(command(*words, "--groups", "stages", "--json").out)["groups"]) == 6


def test_rates_of_groups_are_drawn_over_the_budget():
    from batchsel.schedules.schedule_curve import bind, sample_layer_curves

    found = bind(schedule("linear | lerac(0.5, eta_min=1e-3)"), by_layer=True)
    curves = np.array(sample_layer_curves(found, groups=3, rate=0.1, points=5))
    share = np.linspace(0, 1, 5)
    starts = np.array([1, 0.1, 0.01])[:, None]
    expected = 0.1 * (1 - share) * starts ** np.maximum(1 - share / 0.5, 0)
    np.testing.assert_allclose(curves, expected, rtol=1e-5, atol=1e-9)
    with pytest.raises(UserError, match="which a schedule of Keras cannot"):
        bind(found)


@pytest.mark.parametrize("kind", ["blocks", "stages"])
def test_the_stem_is_apart_from_a_block_that_begins_with_a_normalization(kind):
    groups = layer_groups(models.build("wide_resnet(depth=10, widen=1)", (8, 8, 3), 2), kind)
    assert groups.names[0] == ("conv2d_1",)
    assert [len(names) > 1 for names in groups.names] == [False, True, True, True, False]
