"""The battery that every selector passes, without a model: its plans, its state, its text and its docstring."""

import dataclasses
import inspect
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from selector_table import NAMES, OF_TESTS, REGISTERED, in_all_modes, learned_state, pool_of, selector
from selectors_for_tests import sample_stats, timestamp

from batchsel.experiments.spec.spec import RunSpec, read_file, to_toml
from batchsel.selectors import Pipe, Selector
from batchsel.selectors.registry import entries
from batchsel.selectors.text import parse

N, B = 50, 8
MANY = 300
GOLDEN = Path(__file__).parents[1].joinpath("helpers", "golden_plans.json")
POOLS = [name for name in NAMES if selector(name).pool_size(B) is not None]
every_selector = pytest.mark.parametrize("name", NAMES)


def equal_nests(first, second):
    leaves = zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True)
    return all(np.array_equal(left, right) for left, right in leaves)


def specs(nest):
    return [(leaf.dtype, leaf.shape.as_list()) for leaf in tf.nest.flatten(nest)]


def as_tensors(context):
    """The parts of a context that change, so that no mode can fold them."""
    return {name: value for name, value in context._asdict().items() if isinstance(value, tf.Tensor)}


@every_selector
def test_it_is_a_frozen_config(name):
    chosen = selector(name)
    assert isinstance(chosen, Selector)
    assert chosen == selector(name)
    assert hash(chosen) == hash(dataclasses.replace(chosen))


@every_selector
def test_shapes_and_types_never_change(name):
    chosen = selector(name)
    state = chosen.init(N)
    steps = chosen.steps_per_plan(N, B)
    width = chosen.pool_size(B) or B
    assert isinstance(steps, int)
    assert steps >= 1

    @tf.function(autograph=False)
    def both(state, moving):
        context = timestamp(N, B)._replace(**moving)
        batch = sample_stats(np.arange(B), np.ones(B), chosen.signals)
        return chosen.plan(state, context), chosen.update(state, batch, context)

    traced = both.get_concrete_function(state, as_tensors(timestamp(N, B)))
    plan, new_state = traced.structured_outputs
    assert specs(plan) == [(tf.int32, [steps * width]), (tf.float32, [steps * width]), (tf.int32, [])]
    tf.nest.assert_same_structure(state, new_state)
    assert specs(new_state) == specs(state)


@every_selector
def test_plans_are_equal_in_eager_graph_and_xla(name):
    chosen = selector(name)
    states = [learned_state(chosen, MANY, B, steps) for steps in (0, 20, 40)]
    plans = {}
    for mode, compiled in in_all_modes(chosen).items():

        def plan(state, moving):
            return chosen.plan(state, timestamp(MANY, B)._replace(**moving))

        plan = compiled(plan)
        plans[mode] = [plan(state, as_tensors(context)) for state, context in states]
    for mode in set(plans) - {"eager"}:
        for other, expected in zip(plans[mode], plans["eager"], strict=True):
            assert equal_nests(other, expected), f"{mode} differs from eager"


@pytest.mark.parametrize("name", [name for name in NAMES if selector(name).pool_size(B)])
def test_choices_are_equal_in_eager_graph_and_xla(name):
    chosen = selector(name)
    state, context = learned_state(chosen, N, B)
    pool = pool_of(chosen, N, B)
    choices = {
        mode: compiled(lambda state, pool: chosen.choose(state, pool, context))(state, pool)
        for mode, compiled in in_all_modes(chosen).items()
    }
    for choice in choices.values():
        assert equal_nests(choice, choices["eager"])
    positions, weights = choices["eager"]
    assert specs(choices["eager"]) == [(tf.int32, [B]), (tf.float32, [B])]
    taken = positions.numpy()[weights.numpy() != 0]
    assert len(taken) >= 1
    assert pool.valid.numpy()[taken].all()
    # Only draws whose weights make up for it may take a row twice.
    assert len(set(taken)) == len(taken) or (weights.numpy() != 1).any()


@every_selector
def test_other_seeds_and_steps_give_other_plans(name):
    chosen = selector(name)
    state, context = learned_state(chosen, N, B)
    first = chosen.plan(state, context)
    assert equal_nests(first, chosen.plan(state, context))
    seed = chosen.plan(state, context._replace(seed=context.seed + 1))
    step = chosen.plan(state, context._replace(step=context.step + 1, plans=context.plans + 1))
    random = name not in {"fixed", "every_k"}
    assert equal_nests(first, seed) != random
    assert equal_nests(first, step) != random


@every_selector
def test_update_touches_the_seen_rows_alone(name):
    chosen = selector(name)
    state, context = learned_state(chosen, N, B)
    indices = np.array([3, 17, 49, 20, 8, 0, 31, 44])
    new_state = chosen.update(state, sample_stats(indices, np.arange(1.0, 9.0), chosen.signals, seed=77), context)
    others = np.setdiff1d(np.arange(N), indices)
    for before, after in zip(tf.nest.flatten(state), tf.nest.flatten(new_state), strict=True):
        if before.shape.rank and before.shape[0] == N:
            np.testing.assert_array_equal(after.numpy()[others], before.numpy()[others])


@pytest.mark.parametrize("name", [name for name in NAMES if isinstance(selector(name), Pipe)])
def test_permuting_the_data_permutes_what_is_drawn_from(name):
    pipe = selector(name)
    state, context = learned_state(pipe, N, B, steps=20)
    order = np.random.default_rng(8).permutation(N)

    def permuted(leaf):
        return tf.gather(leaf, order) if leaf.shape.rank and leaf.shape[0] == N else leaf

    other = context._replace(losses=permuted(context.losses), labels=permuted(context.labels))
    expected = pipe.scores(state, context).numpy()[order]
    found = pipe.scores(tf.nest.map_structure(permuted, state), other).numpy()
    # Equal scores are told apart by chance.
    alike = np.sort(found), np.sort(expected)
    np.testing.assert_allclose(*alike, rtol=1e-6)
    if len(np.unique(context.losses)) == N and len(np.unique(expected)) == N:
        np.testing.assert_allclose(found, expected, rtol=1e-6)


SIZES = {
    "short last batch": (21, 8),
    "one batch": (8, 8),
    "batches of one": (9, 1),
    "one sample": (1, 1),
    "2 of 3": (3, 2),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("losses", ["unseen", "known", "equal", "zero", "huge", "not a number", "one class"])
@every_selector
def test_plans_make_sense_at_every_size(name, losses, size):
    chosen, (n, batch_size) = selector(name), SIZES[size]
    scale = {"zero": 0.0, "huge": 1e37}.get(losses, 1.0)
    steps = 0 if losses == "unseen" else -(-n // batch_size) + 1
    kind = {"equal": losses == "equal", "spoilt": losses == "not a number"}
    state, context = learned_state(chosen, n, batch_size, steps, scale=scale, **kind)
    if losses == "one class":
        context = context._replace(labels=tf.zeros([n], tf.int32))
    indices, weights, used = (part.numpy() for part in chosen.plan(state, context))
    assert 1 <= used <= chosen.steps_per_plan(n, batch_size)
    assert ((indices >= 0) & (indices < n)).all()
    assert np.isfinite(weights).all()
    assert (weights >= 0).all() or (chosen.scores_excluded and set(weights[weights < 0]) == {-1})
    batches = weights.reshape(-1, chosen.pool_size(batch_size) or batch_size)[:used]
    assert (batches[:, 0] != 0).all()
    assert (batches[0] > 0).any()
    # Real rows stand before those that fill up, and a batch is either trained on or scored.
    assert (np.diff((batches != 0).astype(int), axis=1) <= 0).all()
    assert ((batches >= 0).all(axis=1) | (batches <= 0).all(axis=1)).all()


@pytest.mark.parametrize("name", POOLS)
def test_losses_that_are_no_numbers_do_not_spoil_a_choice(name):
    chosen = selector(name)
    state, context = learned_state(chosen, N, B, spoilt=True)
    pool = pool_of(chosen, N, B)
    spoilt = np.arange(len(pool.loss)) % 3 == 1
    choice = chosen.choose(state, pool._replace(loss=tf.where(spoilt, np.nan, pool.loss)), context)
    positions, weights = choice.positions.numpy(), choice.weights.numpy()
    assert ((positions >= 0) & (positions < len(spoilt))).all()
    assert np.isfinite(weights).all()
    assert weights[0] > 0


@every_selector
def test_the_plan_of_a_golden_state(name):
    chosen = selector(name)
    state, context = learned_state(chosen, MANY, B, steps=40)
    indices, weights, used = (part.numpy() for part in chosen.plan(state, context))
    found = {
        "first": indices[:12].tolist(),
        "steps": int(used),
        "indices": zlib.crc32(indices.astype("<i4").tobytes()),
        "weights": zlib.crc32(weights.astype("<f4").tobytes()),
    }
    golden = json.loads(GOLDEN.read_text())
    assert golden.get(name) == found, f"if this is meant, put it into {GOLDEN.name}: {json.dumps({name: found})}"


@pytest.mark.parametrize("name", REGISTERED)
def test_the_text_form_gives_the_selector_back(name):
    assert parse(repr(parse(name))) == parse(name)
    assert repr(parse(repr(parse(name)))) == repr(parse(name))


@pytest.mark.parametrize("name", REGISTERED)
def test_a_run_s_settings_keep_it_as_toml(name, tmp_path):
    path = tmp_path / "run.toml"
    form = repr(parse(name))
    spec = RunSpec("digits", "mlp", form, 32, "adam", 1e-3, "linear", "2 passes", "accuracy>=0.9")
    path.write_text(to_toml(spec), "utf-8")
    assert parse(read_file(path)["selector"]) == parse(name)


@pytest.mark.parametrize("name", entries())
def test_the_docstring_says_what_it_does_and_where_it_is_from(name):
    entry = entries()[name]
    text = entry.doc()
    sections = [text.find(word) for word in ("Formula:", "Cost:", "Source:", "Example:")]
    assert min(sections) >= 0
    assert sections == sorted(sections)
    assert text == inspect.getdoc(entry.load())
    documented = re.findall(r"^    (\w+):", text.partition("Args:")[2].partition("\n\n")[0], re.MULTILINE)
    assert documented == list(inspect.signature(entry.load()).parameters)


def test_no_golden_plan_is_left_over():
    assert set(json.loads(GOLDEN.read_text())) == set(NAMES)
    assert not set(REGISTERED) & set(OF_TESTS)
