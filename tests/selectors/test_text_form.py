"""The text form of selectors: parsing, error messages, and no evaluation of code."""

import contextlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchsel.errors import UsageError, UserError
from batchsel.selectors import (
    Anneal,
    Candidates,
    ExploreExploit,
    Fixed,
    LossEMA,
    Mix,
    Pipe,
    Proportional,
    Random,
    Warmup,
    resolve,
)
from batchsel.selectors.text import check, parse

SMART = LossEMA(0.9) | ExploreExploit(0.5, 0.2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("random", Random()),
        ("  fixed  ", Fixed()),
        ("fixed()", Fixed()),
        ("loss_ema", Pipe(LossEMA(0.9))),
        ("loss_ema(0.5)", Pipe(LossEMA(0.5))),
        ("loss_ema(decay=.5,)", Pipe(LossEMA(0.5))),
        ("loss_ema(0)", Pipe(LossEMA(0))),
        ("smart", SMART),
        ("smart(explore=0.25, every=4)", LossEMA(0.9) | ExploreExploit(0.25, 0.2, 4)),
        ("candidates(4, of='gradient_norm')", Candidates(4, "gradient_norm")),
        ('candidates(of="loss")', Candidates()),
        ("loss_ema|warmup(2)|mix", Pipe(LossEMA(), (Warmup(2), Mix()))),
        ("loss_ema | anneal(to='uniform', end=0.5)", Pipe(LossEMA(), (Anneal(end=0.5),))),
        ("loss_ema\n | mix(\n  uniform=0.3\n)", Pipe(LossEMA(), (Mix(0.3),))),
        ("loss_ema | mix | proportional(every=2)", Pipe(LossEMA(), (Mix(),), Proportional(2))),
        ("loss_ema | proportional(every=None)", Pipe(LossEMA(), (), Proportional())),
    ],
)
def test_text_forms_are_parsed(text, expected):
    chosen = resolve(text)
    assert chosen == expected
    assert resolve(repr(chosen)) == chosen
    check(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot read ''"),
        ("   ", "cannot read"),
        ("|", "cannot read"),
        ("loss_ema |", "in 'loss_ema |'"),
        ("| mix", "cannot read"),
        ("loss_ema || mix", "in 'loss_ema || mix'"),
        ("loss_ema(0.9", "cannot read"),
        ("loss_ema 0.9", "cannot read"),
        ("loss_ema(0.9)) | mix", "cannot read"),
        ("loss_ema(0.9 | mix", "cannot read"),
        ("candidates(of='loss)", "cannot read"),
        ("loss_ema(decay=0.9, decay=0.8)", "cannot read"),
        ("loss_ema(**{'decay': 1})", "cannot read"),
        ("loss_ema.update(1)", "cannot read"),
        ("loss_ema[0]", "cannot read"),
        ("lambda: 0", "cannot read"),
        ("(loss_ema, mix)", "cannot read"),
        ("loss_ema(0.9)(1)", "cannot read"),
        ("0.9", "cannot read"),
        ("'loss_ema'", "cannot read"),
        ("loss_ema; mix", "cannot read"),
        ("loss_ema(decay=a)", "'a' is not a number, quoted text"),
        ("loss_ema(2 ** 3)", "is not a number, quoted text"),
        ("loss_ema\0", "cannot read"),
        ("(" * 2000, "cannot read"),
    ],
)
def test_unreadable_text_is_shown_with_an_example(text, words):
    for reader in (parse, check):
        with pytest.raises(UsageError) as caught:
            reader(text)
        assert words in str(caught.value)
        assert "loss_ema(0.9) | warmup(1) | mix(uniform=0.1)" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("loss_ema | warmup(1e999)", "warmup: passes must be a number in [0, 1000000], got inf"),
        ("rendom", "unknown selector 'rendom'. Did you mean 'random'? There are "),
        ("loss_ema | warmpu(1)", "unknown selector 'warmpu'. Did you mean 'warmup'?"),
        ("xyzzy", "unknown selector 'xyzzy'. There are "),
        ("LossEMA", "unknown selector 'LossEMA'. Did you mean 'loss_ema'"),
        ("loss_ema(dcay=0.9)", "unknown parameter of loss_ema 'dcay'. Did you mean 'decay'?"),
        ("random(seed=1)", "unknown parameter of random 'seed'"),
        ("loss_ema(0.9, 0.8)", "too many positional arguments. Expected loss_ema(decay)"),
        ("loss_ema(0.9, decay=0.8)", "multiple values for argument 'decay'"),
        ("loss_ema(2)", "loss_ema: decay must be a number in [0, 1), got 2"),
        ("loss_ema('0.9')", "decay must be a number in [0, 1), got '0.9'"),
        ("loss_ema(True)", "decay must be a number in [0, 1), got True"),
        ("loss_ema(None)", "decay must be a number"),
        ("loss_ema([0.9])", "decay must be a number"),
        ("loss_ema(1j)", "decay must be a number"),
        ("loss_ema | warmup(-1)", "warmup: passes must be a number in [0, 1000000], got -1"),
        ("loss_ema | mix(1.5)", "mix: uniform must be a number in [0, 1], got 1.5"),
        ("loss_ema | anneal(to='nowhere')", "anneal: to must be 'uniform', got 'nowhere'"),
        ("loss_ema | anneal(to=['uniform'])", "anneal: to must be 'uniform'"),
        ("loss_ema | anneal(start=0.5, end=0.5)", "end must be above start, got start=0.5, end=0.5"),
        (
            "loss_ema | proportional(0)",
            "every must be a positive whole number of steps up to 1048576, a share of a pass between 0 and 1, or None, got 0",
        ),
        (
            "loss_ema | proportional(1.0)",
            "every must be a positive whole number of steps up to 1048576, a share of a pass between 0 and 1, or None, got 1.0",
        ),
        ("smart(top=0)", "top must be a number in (0, 1], got 0"),
        (
            "smart(every=True)",
            "every must be a positive whole number of steps up to 1048576, a share of a pass between 0 and 1, or None, got True",
        ),
        ("candidates(pool=0)", "pool must be a whole number of at least 1, got 0"),
        ("candidates(of='features')", "of must be one of 'loss', 'gradient_norm', 'probability'"),
        ("random | mix", "'random' has no scores, so nothing can follow it"),
        ("smart | mix", "nothing can follow a draw ('explore_exploit'); put it last"),
        ("loss_ema | proportional | mix", "nothing can follow a draw ('proportional')"),
        ("loss_ema | random", "'random' is neither a modifier nor a draw; a pipe is score | modifiers | draw"),
        ("loss_ema | loss_ema", "'loss_ema' is neither a modifier nor a draw"),
        ("mix | loss_ema", "'mix' has no scores"),
        ("mix", "mix(uniform=0.1) alone is not a selector: a pipe starts with a score"),
        ("proportional", "alone is not a selector"),
        ("./no/such.py:Mine", "there is no file 'no/such.py' to load 'Mine' from"),
    ],
)
def test_errors_name_the_mistake(text, words):
    with pytest.raises(UsageError) as caught:
        resolve(text)
    assert words in str(caught.value)


@pytest.mark.parametrize("wrong", [None, 3, 0.5, b"random", ["random"], {}])
def test_objects_that_are_not_selectors_are_refused(wrong):
    with pytest.raises(UsageError, match="selector must be a name, a pipe in text"):
        resolve(wrong)


@pytest.mark.parametrize(
    "argument",
    [
        "__import__('pathlib').Path('{path}').touch()",
        "open('{path}', 'w')",
        "[open('{path}', 'w') for _ in [1]]",
        "(lambda: open('{path}', 'w'))()",
        "f\"{{open('{path}', 'w')}}\"",
        "*[open('{path}', 'w')]",
    ],
)
def test_nothing_is_evaluated(argument, tmp_path):
    path = tmp_path / "made"
    with pytest.raises(UserError):
        resolve(f"loss_ema({argument.format(path=path)})")
    assert not path.exists()


SHARE = st.floats(0, 1) | st.integers(0, 1)
BELOW_ONE = st.floats(0, 1, exclude_max=True)
EVERY = st.none() | st.integers(1, 10**6)
MODIFIERS = st.one_of(
    st.builds(Warmup, st.floats(0, 1e6) | st.integers(0, 10**6)),
    st.builds(Mix, SHARE),
    st.builds(Anneal, start=st.floats(0, 0.5), end=st.floats(0.5, 1, exclude_min=True)),
)
DRAWS = st.none() | st.builds(Proportional, EVERY) | st.builds(ExploreExploit, SHARE, st.floats(0.01, 1), EVERY)
SELECTORS = st.one_of(
    st.just(Random()),
    st.just(Fixed()),
    st.builds(Candidates, st.integers(1, 99), st.sampled_from(["loss", "gradient_norm", "probability"])),
    st.builds(Pipe, st.builds(LossEMA, BELOW_ONE), st.lists(MODIFIERS, max_size=4).map(tuple), DRAWS),
)


@given(SELECTORS)
@example(Pipe(LossEMA(5e-324), (Warmup(10**6),)))
def test_every_selector_is_parsed_from_its_repr(chosen):
    assert resolve(repr(chosen)) == chosen


@given(st.text(max_size=40) | st.text(alphabet="loss_ema()|mix,=0.9'\"[]{}*\\ \n", max_size=40))
def test_any_text_is_parsed_or_refused(text):
    with contextlib.suppress(UsageError):
        parse(text)


def test_numpy_numbers_are_parsed_from_their_repr():
    chosen = LossEMA(np.float64(0.5)) | Mix(np.float64(0.25))
    assert resolve(repr(chosen)) == chosen
