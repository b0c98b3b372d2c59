"""Properties of a selector, one line for each: the checks of `check_selector`, and what it costs and needs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from batchsel.core.tf_support.own_function import own_function
from batchsel.errors import UserError
from batchsel.selectors import Random, Selector, resolve
from batchsel.selectors.base import is_user_code
from batchsel.selectors.types import Plan
from batchsel.selectors.validation.declaration import check_declaration, check_sizes
from batchsel.selectors.validation.protocol import user_classes
from batchsel.testing import plans, states
from batchsel.testing.fixtures import example_state, execution_modes, find_properties, tensors_of
from batchsel.testing.training import check_training

Check = Callable[[Selector], Any]

_N, _B = 10_000, 128
_REPEATS = 5


class Property(NamedTuple):
    """A property of a selector."""

    name: str
    holds: bool | None
    """True or False as it was checked; None if it is only stated, or could not be checked."""
    text: str
    """A sentence: what was seen, or the problem and the remedy."""


def selector_properties(selector: Any) -> Iterator[Property]:
    """Yield the properties of a selector as they are checked; nothing follows a declaration that cannot be used.

    Args:
        selector: A name, a pipe in text, a selector object, or a function ``(losses, batch_size, rng) -> indices``.

    Raises:
        UserError: If it is not a selector.

    Example:
        >>> first = next(selector_properties("loss_ema"))
        >>> first.name, first.holds
        ('declaration', True)
    """
    chosen = resolve(selector)
    declared = _check(
        "declaration", repr(chosen), chosen, _check_declaration, states.check_config, states.check_text_form
    )
    yield declared
    if not declared.holds:
        return
    traced = _check("shapes", "", chosen, _trace, states.check_state, plans.check_plan_types, states.check_loss_weights)
    yield traced._replace(text=traced.text or _describe_plan(chosen))
    if not traced.holds:
        return
    in_range = _check("range", "indices and weights at 5 sizes", chosen, plans.check_plan_values, plans.check_choice)
    yield _allow_last_bits(
        in_range._replace(text=in_range.text + _describe_repetition(chosen, in_range)), in_range.text
    )
    pure = (plans.check_repeatability, states.check_update, states.check_prepare, plans.check_training_losses)
    yield _check("pure state", "same calls, same results; padding rows change nothing", chosen, *pure)
    modes = _describe_modes(chosen)
    yield _allow_last_bits(
        _check("compiles", f"{modes[0]} plan alike{modes[1]}", chosen, plans.check_modes), "".join(modes)
    )
    yield from _trained(chosen)
    yield Property("cost", None, _describe_cost(chosen))
    yield Property("needs", None, _describe_needs(chosen))


def _check(name: str, text: str, selector: Selector, *checks: Check) -> Property:
    try:
        for check in checks:
            check(selector)
    except Exception as error:  # whatever the user's code raises
        sentence = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        return Property(name, False, sentence.splitlines()[0] if sentence else type(error).__name__)
    return Property(name, True, text)


def _check_declaration(selector: Selector) -> None:
    check_declaration(selector)
    check_sizes(selector, plans.N, plans.B)


def _trace(selector: Selector) -> None:
    find_properties(selector)


def _describe_plan(selector: Selector) -> str:
    n, b = plans.N, plans.B
    pool = selector.pool_size(b)
    steps, rows = selector.steps_per_plan(n, b), b if pool is None else pool
    kind = ("batch" if pool is None else "pool") + ("" if steps == 1 else "es" if pool is None else "s")
    return f"for n = {n}, b = {b} a plan has {steps} {kind} of {rows}"


def _describe_repetition(selector: Selector, found: Property) -> str:
    """Return that all plans hold the same few samples, whatever the seed, the step and the losses, if they do."""
    if not found.holds:
        return ""
    n = plans.N
    contexts = [example_state(selector, n, plans.B), example_state(selector, n, plans.B, steps=20, scale=9.0)]
    contexts += [(state, context._replace(seed=context.seed + 1)) for state, context in contexts[:1]]
    chosen = [set(np.asarray(selector.plan(*each).indices)) for each in contexts]
    same = all(each == chosen[0] for each in chosen) and len(chosen[0]) < n
    return f"; every plan has the same {len(chosen[0])} of {n} samples" if same else ""


def _allow_last_bits(found: Property, text: str) -> Property:
    """Return a property that holds but for choices that hang on the last bits of floats, in which compilers differ."""
    if found.holds is not False or "mode differs from that in eager mode" not in found.text:
        return found
    differ = "choices differ between modes, since compilers differ in the last bits of floats; runs repeat in one mode"
    return Property(found.name, None, differ if text == found.text else f"{text}; {differ}")


def _describe_modes(selector: Selector) -> tuple[str, str]:
    """Return the modes in which a selector runs, and the reason if XLA is none of them."""
    obstacle = find_properties(selector).obstacle
    modes = "eager, graph and XLA" if len(execution_modes(selector)) > 2 else "eager and graph"
    if obstacle is not None:
        return modes, f"; not by XLA ({obstacle})"
    return modes, "" if selector.traceable else "; not by XLA, since it runs Python code"


def _trained(selector: Selector) -> Iterator[Property]:
    """Train twice with a seed, and once with a break."""
    if find_properties(selector).reads_clock:
        text = "no two runs are the same, since it reads the time (tf.timestamp)"
        yield Property("reproducible", None, text)
        yield Property("resumes", None, "not checked for the same reason")
        return
    with warnings.catch_warnings(action="ignore"):  # that XLA is not used is another line
        found = _check("training", "", selector, check_training)
    in_resume = "the check 'resume'" in found.text
    equal = "runs with the same seed are equal to the last bit, in one trace"
    yield Property("reproducible", True, equal) if found.holds or in_resume else found._replace(name="reproducible")
    if found.holds:
        yield Property("resumes", True, "a run resumed half-way ends as one without a break")
    else:
        text = found.text if in_resume else "not checked, since runs cannot be repeated"
        yield Property("resumes", False if in_resume else None, text)


def _describe_cost(selector: Selector) -> str:
    try:
        own, random = _plan_seconds(selector), _plan_seconds(Random())
    except Exception as error:  # a selector may suit few sizes
        return f"could not be measured at n = {_N:,}: {type(error).__name__}"
    return (
        f"planning takes {1e6 * own:,.0f} µs a step at n = {_N:,}, b = {_B} as a graph"
        f" (random: {1e6 * random:,.0f} µs); {_state_numbers(selector):.3g} numbers a sample"
    )


def _plan_seconds(selector: Selector) -> float:
    """Return the seconds of a plan for each of its steps, the fastest of a few calls."""
    state, context = example_state(selector, _N, _B)

    def plan(state: Any, tensors: dict[str, tf.Tensor]) -> Plan:
        return selector.plan(state, context._replace(**tensors))

    compiled, seconds = own_function(plan), []
    for _ in range(_REPEATS + 1):
        start = time.perf_counter()
        steps = int(compiled(state, tensors_of(context)).steps)
        seconds.append((time.perf_counter() - start) / max(steps, 1))
    return min(seconds[1:])


def _state_numbers(selector: Selector) -> float:
    state, _ = example_state(selector, _N, _B)
    return sum(tf.convert_to_tensor(leaf).shape.num_elements() or 0 for leaf in tf.nest.flatten(state)) / _N


def _describe_needs(selector: Selector) -> str:
    needs = [f"signals {', '.join(selector.signals)}"] if selector.signals else []
    needs += ["all inputs in memory"] if selector.needs_inputs else []
    needs += ["auxiliary models, trained first"] if selector.prepares else []
    needs += ["a forward pass for each row of its pools"] if selector.pool_size(_B) is not None else []
    if selector.requires_nonnegative_losses:
        own = [kind for part in selector.list_parts() for kind in user_classes(type(part))]
        stated = any("requires_nonnegative_losses" in vars(kind) for kind in own)
        default = " (requires_nonnegative_losses = False in the class if others are fine)"
        needs.append("losses that are not negative" + (default if is_user_code(selector) and not stated else ""))
    extra = [name for name in getattr(selector, "extra_names", ()) if name not in selector.signals]
    needs += [f"the parameters {', '.join(extra)}"] if extra and is_user_code(selector) else []
    return "; ".join(needs) or "the last losses only"
