"""Cards and settings that are wrong: refused with all problems, each in a sentence."""

import pytest

from batchsel import UserError
from batchsel.experiments.spec.card_problems import load_experiment_card
from batchsel.experiments.spec.run_spec import read_file, read_spec


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("seeds = " + "9" * 5000, "an integer has more than 64 bits"),
        ("seeds = 0x" + "f" * 5000, "an integer has more than 64 bits"),
        ("seeds = 9223372036854775808", "an integer has more than 64 bits"),
        ("arms = " + "[" * 5000 + "]" * 5000, "values are nested too deeply"),
        ("arms = " + "[" * 50 + "]" * 50, "values are nested too deeply"),
        (".".join("a" * 50) + " = 1", "values are nested too deeply"),
    ],
)
def test_numbers_and_nesting_beyond_reason_are_refused(content, reason, tmp_path):
    path = tmp_path / "card.toml"
    path.write_text(content)
    for reader in (lambda: load_experiment_card(str(path)), lambda: read_file(path)):
        with pytest.raises(UserError, match=f"card.toml is not valid TOML: {reason}") as caught:
            reader()
        assert "\n" not in str(caught.value)


def test_all_problems_of_an_experiment_card_are_told_at_once(tmp_path):
    path = tmp_path / "try.toml"
    path.write_text(
        'question = "q?"\nstory = "s"\ndatasets = ["digits"]\nname = "try"\nseeds = 1000000000\n'
        '[settings]\nbatch_size = "big"\nbatchsize = 3\nbudget = [1]\n'
        "[arms.a]\nselector = \"ies(refresh='5 passes')\"\noptimizer = 'adam(clipnorm=[[1]])'\n"
        '[arms.b]\nselector = ["random"]\n[tuning.grid]\nmodel = ["mlp(hidden=[0])"]\n'
    )
    with pytest.raises(UserError) as caught:
        load_experiment_card(str(path))
    for words in (
        "seeds: expected a whole number of at most 10000, got 1000000000",
        "settings.batch_size: batch_size: expected int, got 'big'",
        "settings: unknown setting 'batchsize'. Did you mean 'batch_size'",
        "settings.budget: cannot read the budget '[1]'",
        "arms.a.selector: ies: refresh must be True or False, got '5 passes'",
        "arms.a.optimizer: adam: clipnorm must be a number in (0, 1000000] or None, got [[1]]",
        "arms.b: expected a table with a selector",
        "tuning.grid.model: mlp: hidden must be a list of 0 to 64 items, each item a whole number of at least 1",
    ):
        assert words in str(caught.value)


def test_settings_of_a_run_without_a_key_are_refused_in_one_sentence(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('dataset = "digits"\nmodel = "mlp"\n')
    with pytest.raises(UserError, match=r"lacks the setting selector, batch_size, .*\. Restore the file") as caught:
        read_spec(path)
    assert "\n" not in str(caught.value)


CARD = 'question = "q?"\nstory = "s"\ndatasets = ["digits"]\nname = "try"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "[factors]\n" + "".join(f"f{i} = [1, 2, 3, 4, 5]\n" for i in range(40)),
            "factors: expected at most 10000 combinations of levels, got 9094947017729282379150390625.",
        ),
        (
            '[arms.a]\nselector = "smart"\n[tuning.grid]\n'
            + "".join(
                f"{name} = [{', '.join(map(str, range(1, 200)))}]\n"
                for name in ("learning_rate", "batch_size", "budget")
            ),
            "tuning.grid: expected at most 100000 combinations of values, got 7880599.",
        ),
    ],
    ids=["factors", "grid"],
)
def test_combinations_beyond_reason_are_counted_and_not_made(text, problem, tmp_path):
    path = tmp_path / "try.toml"
    path.write_text(CARD + text)
    with pytest.raises(UserError) as caught:
        load_experiment_card(str(path))
    assert problem in str(caught.value)


def test_values_in_messages_are_cut(tmp_path):
    path = tmp_path / "try.toml"
    path.write_text(f'{CARD}arms.a = "{"x" * 10_000}"\ncontrols = ["{"y" * 10_000}"]\n')
    with pytest.raises(UserError) as caught:
        load_experiment_card(str(path))
    assert len(str(caught.value)) < 1000
