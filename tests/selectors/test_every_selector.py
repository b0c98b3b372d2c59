"""The battery that every selector passes, without a model: its plans, its state, its text and its docstring."""

import inspect
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from selector_table import NAMES, REGISTERED, TEST_SELECTORS, selector

from batchsel.experiments.spec.run_spec import RunSpec, read_file, to_toml
from batchsel.selectors import Pipe
from batchsel.selectors.registry import REGISTRY
from batchsel.selectors.text import parse
from batchsel.testing.battery import CHECKS
from batchsel.testing.fixtures import example_pool, example_state, example_stats
from batchsel.testing.plans import SIZES, check_one_plan, check_seeds

N, B = 50, 8
MANY = 300
GOLDEN = Path(__file__).parents[1].joinpath("helpers", "golden_plans.json")
POOLS = [name for name in NAMES if selector(name).pool_size(B) is not None]
every_selector = pytest.mark.parametrize("name", NAMES)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@every_selector
def test_every_check_of_the_public_battery_passes(name, check):
    check(selector(name))


@every_selector
def test_other_seeds_and_steps_give_other_plans(name):
    check_seeds(selector(name), random=name not in {"fixed", "every_k"})


@every_selector
def test_update_changes_only_the_rows_of_the_batch(name):
    chosen = selector(name)
    state, context = example_state(chosen, N, B)
    indices = np.array([3, 17, 49, 20, 8, 0, 31, 44])
    new_state = chosen.update(state, example_stats(indices, np.arange(1.0, 9.0), chosen.signals, seed=77), context)
    others = np.setdiff1d(np.arange(N), indices)
    for before, after in zip(tf.nest.flatten(state), tf.nest.flatten(new_state), strict=True):
        if before.shape.rank and before.shape[0] == N:
            np.testing.assert_array_equal(after.numpy()[others], before.numpy()[others])


@pytest.mark.parametrize("name", [name for name in NAMES if isinstance(selector(name), Pipe)])
def test_permuting_the_data_permutes_the_scores(name):
    pipe = selector(name)
    state, context = example_state(pipe, N, B, steps=20)
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


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("losses", ["huge", "not a number", "one class"])
@every_selector
def test_plans_are_valid_for_odd_losses_and_labels(name, losses, size):
    n, batch_size = SIZES[size]
    kind = {"huge": {"scale": 1e37}, "not a number": {"with_nan": True}}.get(losses, {})
    labels = tf.zeros([n], tf.int32) if losses == "one class" else None
    check_one_plan(selector(name), n, batch_size, labels, steps=-(-n // batch_size) + 1, **kind)


@pytest.mark.parametrize("name", POOLS)
def test_choices_are_valid_for_pools_with_nan_losses(name):
    chosen = selector(name)
    state, context = example_state(chosen, N, B, with_nan=True)
    pool = example_pool(chosen, N, B)
    is_nan = np.arange(len(pool.loss)) % 3 == 1
    choice = chosen.choose(state, pool._replace(loss=tf.where(is_nan, np.nan, pool.loss)), context)
    positions, weights = choice.positions.numpy(), choice.weights.numpy()
    assert ((positions >= 0) & (positions < len(is_nan))).all()
    assert np.isfinite(weights).all()
    assert weights[0] > 0


@every_selector
def test_the_plan_equals_the_golden_plan(name):
    chosen = selector(name)
    state, context = example_state(chosen, MANY, B, steps=40)
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
def test_the_text_form_round_trips(name):
    assert parse(repr(parse(name))) == parse(name)
    assert repr(parse(repr(parse(name)))) == repr(parse(name))


@pytest.mark.parametrize("name", REGISTERED)
def test_run_settings_round_trip_as_toml(name, tmp_path):
    path = tmp_path / "run.toml"
    form = repr(parse(name))
    spec = RunSpec("digits", "mlp", form, 32, "adam", 1e-3, "linear", "2 passes", "accuracy>=0.9")
    path.write_text(to_toml(spec), "utf-8")
    assert parse(read_file(path)["selector"]) == parse(name)


@pytest.mark.parametrize("name", REGISTRY.entries())
def test_the_docstring_has_formula_cost_source_and_example(name):
    entry = REGISTRY.entries()[name]
    text = entry.doc()
    sections = [text.find(word) for word in ("Formula:", "Cost:", "Source:", "Example:")]
    assert min(sections) >= 0
    assert sections == sorted(sections)
    assert text == inspect.getdoc(entry.load())
    documented = re.findall(r"^    (\w+):", text.partition("Args:")[2].partition("\n\n")[0], re.MULTILINE)
    assert documented == list(inspect.signature(entry.load()).parameters)


def test_no_golden_plan_is_left_over():
    assert set(json.loads(GOLDEN.read_text())) == set(NAMES)
    assert not set(REGISTERED) & set(TEST_SELECTORS)
