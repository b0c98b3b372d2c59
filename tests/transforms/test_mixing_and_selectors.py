"""Mixing is allowed for selectors that do not use training losses, and rejected for others."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from problems import mlp
from selector_table import NAMES, REGISTERED, selector
from selectors_for_tests import Pool

from batchsel import Trainer, UserError
from batchsel.selectors import Keep, LastLoss, Pacing, PrecomputedScores, RePB
from batchsel.selectors.base import Selector
from batchsel.selectors.draws.hardest import Hardest
from batchsel.selectors.pipe import Draw, Modifier, Score
from batchsel.testing.fixtures import example_pool, example_state
from batchsel.training.inputs.compatibility import check_mixing
from batchsel.transforms.augmentation import resolve

N, B = 50, 8
MIXUP = resolve("mixup")
ALLOWED = {
    "random", "fixed", "with_replacement", "rs2", "growing", "stratified", "length_buckets",
    "candidates", "rho_loss", "small_proxy", "online_proxy", "divbs", "great", "k_centre", "milo", "selective_backprop",
    "composer_backprop", "proxy_loss", "falling", "volume", "scheduled_subset",
    "candidates(3) | score(dtype='bfloat16', prefilter=0.7, every=2)",
}  # fmt: skip
"""What a person would expect: shuffling of all kinds, pools of plain samples, scores of other models."""


def allowed(name):
    try:
        check_mixing(MIXUP, selector(name))
    except UserError:
        return False
    return True


def test_the_list_of_those_allowed():
    assert {name for name in REGISTERED if allowed(name)} == ALLOWED


@pytest.mark.parametrize("name", [name for name in NAMES if not allowed(name)])
def test_the_error_names_selector_and_remedy(name):
    with pytest.raises(UserError) as caught:
        check_mixing(MIXUP, selector(name))
    assert repr(selector(name)) in str(caught.value)
    assert "Leave the mixing out, or choose a selector that does not use them: 'random'" in str(caught.value)
    check_mixing(resolve("flip | erasing"), selector(name))
    check_mixing(None, selector(name))


@pytest.mark.parametrize("name", [name for name in NAMES if allowed(name)])
def test_those_allowed_choose_the_same_whatever_training_found(name):
    chosen = selector(name)
    histories = [example_state(chosen, N, B, equal=equal, scale=scale) for equal, scale in ((True, 1), (False, 9))]
    (state, context), (other_state, other_context) = histories
    assert (context.losses != other_context.losses).numpy().any()
    plans = [chosen.plan(state, context), chosen.plan(other_state, other_context)]
    for first, second in zip(*plans, strict=True):
        np.testing.assert_array_equal(first, second)
    if chosen.pool_size(B):
        pool = example_pool(chosen, N, B)
        choices = [chosen.choose(state, pool, context), chosen.choose(other_state, pool, other_context)]
        for first, second in zip(*choices, strict=True):
            np.testing.assert_array_equal(first, second)
    assert not chosen.weighs


def test_selectors_and_scores_use_training_losses_unless_they_say_no():
    assert Selector.uses_training_losses
    assert Score.uses_training_losses
    assert not Modifier.uses_training_losses
    assert not Draw.uses_training_losses
    with pytest.raises(UserError, match="uses training losses"):
        check_mixing(MIXUP, Pool())


@dataclasses.dataclass(frozen=True, repr=False)
class Peeping(Modifier):
    name = "peeping"
    uses_training_losses = True

    def modify(self, scores, context, state=()):
        return tf.cast(context.losses, tf.float64)


def test_a_pipe_learns_if_any_of_its_parts_does():
    given = PrecomputedScores("difficulty.npy")
    assert not (given | Pacing() | Keep()).uses_training_losses
    assert not (given | Hardest()).uses_training_losses
    assert (given | Peeping() | Hardest()).uses_training_losses
    assert (LastLoss() | Keep()).uses_training_losses
    assert RePB().uses_training_losses
    assert selector("stratified").uses_training_losses is False
    assert dataclasses.replace(selector("stratified"), by="loss").uses_training_losses is True


def test_mixing_is_rejected_when_the_trainer_is_built():
    with pytest.raises(
        UserError, match=r"mixup\(alpha=0.2, chance=1.0\) and cutmix.* mixes two samples, whose common loss"
    ):
        Trainer(mlp(), "loss_ema", augment="mixup | cutmix")
    Trainer(mlp(), "candidates", augment="mixup")
