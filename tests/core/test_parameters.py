"""Every parameter of every registered name has a type and bounds; values beyond them are refused, others work."""

import contextlib
import dataclasses
import inspect
import math
import random
import re
import types
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import tensorflow as tf

from batchsel import models, optimizers
from batchsel.core.parameters import Accepts, Between, accepts
from batchsel.core.parameters.signatures import read_signature
from batchsel.core.rng import Rng
from batchsel.core.target import Target
from batchsel.core.timestamp import Timestamp
from batchsel.data.loaders import REGISTRY as LOADERS
from batchsel.data.loaders import option_problems
from batchsel.errors import UsageError, UserError
from batchsel.optimizers import parameters as optimizer_parameters
from batchsel.optimizers.text import REGISTRY as OPTIMIZERS
from batchsel.schedules import Schedule, schedule
from batchsel.schedules.registry import REGISTRY as SCHEDULES
from batchsel.selectors import Draw, Modifier, Score, Selector, resolve
from batchsel.selectors.registry import REGISTRY as SELECTORS
from batchsel.testing.fixtures import example_state
from batchsel.training.loop.plan_checks import check_plan
from batchsel.transforms.augmentation.registry import REGISTRY as AUGMENTATIONS
from batchsel.transforms.base import apply
from batchsel.transforms.curricula.registry import REGISTRY as CURRICULA

REGISTRIES = {each.kind: each for each in (SELECTORS, SCHEDULES, AUGMENTATIONS, CURRICULA, models.REGISTRY)}
NAMES = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry.built_in_entries]
BY_TRAINING = {"input_shape", "outputs"}
"""Parameters of models that no text gives."""
IMPOSSIBLE = [-1, 2**63, 10**4000, math.inf, math.nan, 1j, b"5", [[1]], {"a": 1}, [-1], [2**63], ["a", 1]]
"""Values that no parameter of any name accepts."""
LINKED = {
    ("anneal", "start"), ("anneal", "end"), ("composer_backprop", "start"), ("composer_backprop", "end"),
    ("erasing", "smallest"), ("erasing", "largest"), ("resolution", "delay"), ("resolution", "finish"),
    ("step", "times"), ("given", "path"), ("curriculum", "difficulty"), ("rho_loss", "irreducible"),
    ("wide_resnet", "depth"), ("volume", "keep"), ("volume", "swing"),
}  # fmt: skip
"""Parameters whose bounds depend on others, and files."""
N, B = 50, 8


def parameters(kind, name):
    found = read_signature(REGISTRIES[kind].find(name).target).parameters
    return {key: each.annotation for key, each in found.items() if key not in BY_TRAINING}


def check_text(kind, text):
    (models.check if kind == "model" else REGISTRIES[kind].check)(text)


def build(kind, name, values):
    target = REGISTRIES[kind].load(name)
    return target((32, 32, 3), 10, **values) if kind == "model" else target(**values)


def facts(hint):
    """Yield the bounds and words in an annotation with the type they belong to, those of list items left out."""
    origin = get_origin(hint)
    if origin is Annotated:
        base, *rest = get_args(hint)
        yield from ((base, fact) for fact in rest)
    elif origin in (Union, types.UnionType):
        for part in get_args(hint):
            yield from facts(part)
    elif origin is Literal:
        yield from ((Literal, word) for word in get_args(hint))
    elif hint is bool:
        yield from ((Literal, value) for value in (True, False))


def values_at_bounds(hint):
    for base, fact in facts(hint):
        if base is Literal:
            yield fact
        elif isinstance(fact, Between):
            middle = (fact.lower + min(fact.upper, fact.lower + 1)) / 2
            yield middle if fact.lower_open else base(fact.lower)
            yield middle if fact.upper_open else base(fact.upper)


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_texts_are_checked_by_the_annotations_that_python_sees(kind, name):
    entry = REGISTRIES[kind].find(name)
    target, read = entry.load(), read_signature(entry.target)
    seen, hints = inspect.signature(target).parameters, get_type_hints(target, include_extras=True)
    assert list(read.parameters) == list(seen)
    for key, each in read.parameters.items():
        assert (each.default is each.empty) == (seen[key].default is inspect.Parameter.empty)
        if key not in BY_TRAINING:
            assert each.annotation == hints[key]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_values_that_no_parameter_accepts_are_refused_in_one_sentence(kind, name):
    for key in parameters(kind, name):
        for value in IMPOSSIBLE:
            message = rf"{name}: {key} must be [^\n]{{3,400}}, got [^\n]{{1,125}}\."
            if value == value and value != math.inf:
                with pytest.raises(UsageError) as caught:
                    check_text(kind, f"{name}({key}={value!r})")
                assert re.fullmatch(message, str(caught.value))
            with pytest.raises(UsageError) as caught:
                build(kind, name, {key: value})
            assert re.fullmatch(r"[\w]+: [\w]+ must be [^\n]{3,400}, got [^\n]{1,125}\.", str(caught.value))


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_texts_and_none_are_refused_where_they_are_not_a_choice(kind, name):
    for key, hint in parameters(kind, name).items():
        words = {word for base, word in facts(hint) if base is Literal}
        texts = any(isinstance(fact, Accepts) and "name of" in fact.expected for _, fact in facts(hint))
        for value in [] if texts else ["no such word", ""]:
            assert value not in words
            with pytest.raises(UsageError, match=f"{name}: {key} must be"):
                check_text(kind, f"{name}({key}={value!r})")
        optional = read_signature(REGISTRIES[kind].find(name).target).parameters[key].default is None
        if not (optional or type(None) in get_args(hint)):
            with pytest.raises(UsageError, match=f"{name}: {key} must be"):
                check_text(kind, f"{name}({key}=None)")


@pytest.mark.parametrize(("kind", "name"), [pair for pair in NAMES if pair[0] != "model"])
def test_values_at_the_bounds_build(kind, name):
    for key, hint in parameters(kind, name).items():
        for value in values_at_bounds(hint) if (name, key) not in LINKED else ():
            check_text(kind, f"{name}({key}={value!r})")
            build(kind, name, {key: value})


def integers_within(hint):
    """Yield integers that a number with bounds may be."""
    for base, fact in facts(hint):
        if base is float and isinstance(fact, Between):
            yield from (value for value in (0, 1, 2, 10) if fact.holds(value))


@pytest.mark.parametrize(("kind", "name"), [pair for pair in NAMES if pair[0] != "model"])
def test_integers_become_floats_where_floats_are_meant(kind, name):
    for key, hint in parameters(kind, name).items():
        for value in integers_within(hint) if (name, key) not in LINKED else ():
            (call,) = REGISTRIES[kind].parse_calls(f"{name}({key}={value})")
            built = call.apply(REGISTRIES[kind].load(name)), build(kind, name, {key: value})
            assert repr(built[0]) == repr(built[1]) == repr(build(kind, name, {key: float(value)}))
            if dataclasses.is_dataclass(built[0]) and hasattr(built[0], key):
                assert isinstance(getattr(built[0], key), float)


def test_every_size_of_a_model_has_an_upper_bound():
    for name in models.REGISTRY.built_in_entries:
        for key, hint in parameters("model", name).items():
            assert not accepts(hint, 2**31), (name, key)


@pytest.mark.parametrize("name", list(OPTIMIZERS.built_in_entries))
def test_optimizers_declare_the_parameters_of_their_class(name):
    declared = set(optimizer_parameters.signature(name).parameters)
    seen = inspect.signature(OPTIMIZERS.load(name)).parameters
    assert declared >= set(seen) - {"learning_rate", "name", "kwargs", "options"}
    optimizers.build(name, 0.1)
    for key in declared:
        for value in [*IMPOSSIBLE, "fast"]:
            if value == value and value != math.inf:
                with pytest.raises(UsageError, match=f"{name}: {key} must be"):
                    optimizers.check(f"{name}({key}={value!r})")


def test_options_of_data_sets_are_declared():
    declared = {name: LOADERS.signature(name).parameters for name in LOADERS.built_in_entries}
    assert {name for name, options in declared.items() if options} == {
        "cifar", "image_folder", "imdb", "labelled_table", "labelled_texts", "lm_text", "spirals"
    }  # fmt: skip
    for name, options in declared.items():
        assert option_problems(name, {"colour": 1})[-1].startswith(f"unknown option of {name} 'colour'")
        for key in options:
            for value in IMPOSSIBLE:
                assert any(f"{name}: {key} must be" in problem for problem in option_problems(name, {key: value}))


@pytest.mark.parametrize("text", ["loss<=1e400", "accuracy>=" + "9" * 5000, "loss<=-1e999", "loss<=" + "1e5" * 99])
def test_targets_that_no_run_can_reach_are_refused_in_one_sentence(text):
    with pytest.raises(UsageError, match="cannot read the target") as caught:
        Target.parse(text)
    assert len(str(caught.value)) < 300


def drawn(hint, random):
    """Return a value within an annotation, of a size that a test can compute."""
    options = list(facts(hint))
    if not options:
        return None
    base, fact = random.choice(options)
    if base is Literal:
        return fact
    if isinstance(fact, Accepts):
        choices = {"steps": [1, 3, 0.2, 0.999, None], "share of the budget": [1e-9, 0.3, 1, "2 passes"], "odd": [3, 5]}
        found = next((some for word, some in choices.items() if word in fact.expected), [None])
        value = random.choice(found)
        return [value] if "list" in fact.expected else value
    if not isinstance(fact, Between):
        return None
    if base is int:
        return random.choice([fact.lower, min(fact.upper, fact.lower + 1), min(fact.upper, random.randint(2, 8))])
    inside = [
        fact.lower,
        fact.upper,
        random.uniform(fact.lower, min(fact.upper, 10)),
        min(fact.lower + 1e-12, fact.upper),
    ]
    return random.choice([value for value in inside if fact.holds(value)])


def sampled(kind, name, seed):
    """Return an object with values within their bounds, or None if they exclude each other."""
    values = {}
    for key, hint in parameters(kind, name).items():
        value = drawn(hint, random.Random(f"{name} {key} {seed}"))
        if value is not None and (name, key) not in {("given", "path"), ("curriculum", "difficulty")}:
            values[key] = value
    try:
        return build(kind, name, values)
    except UsageError as error:
        assert not re.search("must be (a|one|True|the) ", str(error)), (
            "each value is within its bounds; only together may they be impossible"
        )
        return None


@pytest.mark.parametrize("name", [name for name in SELECTORS.built_in_entries if name != "given"])
def test_what_the_checks_accept_can_be_planned(name):
    for seed in range(3):
        part = sampled("selector", name, seed)
        if part is None or getattr(part, "irreducible", None):
            continue
        if isinstance(part, Modifier | Draw):
            part = resolve("loss_ema") | part
        if part.follows_selectors:
            part = resolve("candidates") | part
        selector = resolve(part)
        assert isinstance(selector, Selector)
        if selector.prepares or "labels" in str(vars(type(selector))) or name in ("length_buckets", "stratified"):
            continue  # they need more than losses; the battery runs them
        state, context = example_state(selector, N, B)
        width, steps = selector.pool_size(B) or B, selector.steps_per_plan(N, B)
        if steps * width > 2**20:
            continue
        assert int(check_plan(selector.plan(state, context), N, steps, width, selector.scores_excluded)) == 0, part


@pytest.mark.parametrize("name", list(SCHEDULES.built_in_entries))
def test_what_the_checks_accept_is_a_schedule(name):
    for seed in range(8):
        part = sampled("schedule", name, seed)
        if part is not None:
            assert isinstance(part, Schedule)
            bound = part.bind(32, 1.0)
            for progress in (0.0, 1e-9, 0.5, 1.0):
                assert np.isfinite(bound.factor(Timestamp.from_progress(progress, passes=3 * progress)).numpy()), part


@pytest.mark.parametrize(("kind", "name"), [pair for pair in NAMES if pair[0] in (AUGMENTATIONS.kind, CURRICULA.kind)])
def test_what_the_checks_accept_transforms_images(kind, name):
    images = tf.random.stateless_uniform([4, 12, 12, 3], [1, 2], 0, 256, tf.int32)
    for seed in range(4):
        part = sampled(kind, name, seed)
        if part is None or getattr(part, "fill", "") == "reflect":
            continue
        x = tf.cast(images, tf.uint8)
        with contextlib.suppress(UserError):  # no such rectangle fits into so small an image
            if hasattr(part, "mix"):
                result, _ = part.mix(x, tf.ones([4], tf.bool), Rng(0, 0))
            else:
                result = apply(part, x, Rng(0, 0), Timestamp.from_progress(0.1))
            assert result.shape[0] == 4


def test_parts_of_users_are_checked_by_their_annotations(tmp_path):
    @dataclasses.dataclass(frozen=True, repr=False)
    class Mine(Score):
        name = "mine"
        decay: Annotated[float, Between(0, 1)] = 0.5
        anything: "np.ndarray | NotKnown" = None  # noqa: F821

    assert Mine(decay=2.0).decay == 2.0  # an annotation that Python cannot read: nothing is checked
    path = tmp_path / "mine.py"
    path.write_text(
        "from dataclasses import dataclass\nfrom batchsel.schedules import Schedule\n"
        "@dataclass(frozen=True, repr=False)\nclass Half(Schedule):\n    name = 'half'\n    count: int = 1\n"
        "    def __post_init__(self):\n        super().__post_init__()\n        1 / (self.count - 3)\n"
    )
    with pytest.raises(UsageError, match=r"Half: count must be a whole number, got 1\.5"):
        schedule(f"{path}:Half(1.5)")
    with pytest.raises(UsageError, match="cannot build .*ZeroDivisionError"):
        schedule(f"{path}:Half(3)")
