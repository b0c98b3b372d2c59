"""Whatever is wrong with a card or a text: it is read, or refused with a `UserError` that lists the problems."""

import contextlib
import os
import tomllib
from pathlib import Path
from random import Random

import pytest
from card_mutations import mutate_text, mutate_values

from batchsel import UserError, models, optimizers, schedules
from batchsel.cards.dataset_cards import read_dataset_card
from batchsel.cards.experiment_cards import read_experiment_card
from batchsel.core.filesystem.toml_files import parse_toml
from batchsel.core.target import Target
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.spec.budget import Budget
from batchsel.experiments.spec.card_problems import dataset_problems, experiment_problems, load_experiment_card
from batchsel.experiments.spec.run_spec import read_file, read_spec
from batchsel.selectors import text as selectors
from batchsel.transforms.augmentation.registry import REGISTRY as AUGMENTATIONS
from batchsel.transforms.curricula.registry import REGISTRY as CURRICULA

ROOT = Path(__file__).parents[2]
CARDS = {kind: sorted((ROOT / kind).glob("*.toml")) for kind in ("datasets", "experiments")}
MUTATIONS = int(os.environ.get("BATCHSEL_TEST_MUTATIONS", "300"))
"""Of cards, and of each text; 3,000 take four minutes."""
TEXTS = [
    (selectors.check, "loss_ema(0.9) | cap(0.95, above='skip') | coverage(3) | weighted(beta=1.0, every=0.5)"),
    (selectors.check, "given('a|b.npy') | prune(0.5, below='mean') | keep(rescale=True, until=0.9)"),
    (schedules.check, "one_cycle(peak=0.05, momenta=[0.85, 0.95]) | warmup('5 passes', start='base')"),
    (schedules.base_learning_rate, "scale('linear', 256, 0.1) | step(at=[0.5, '8 passes'], times=0.1)"),
    (schedules.check_accumulation, "grow(3, at=[0.5, '3 passes'], start=2)"),
    (schedules.check_accumulation, "4"),
    (AUGMENTATIONS.check, "crop(4, fill='reflect') | jitter(0.4, white=1.0) | mixup(0.2)"),
    (CURRICULA.check, "blur(sigma=1.0, until=0.2, size=5) | resolution(0.5, multiple=4)"),
    (models.check, "mlp(hidden=[64, 64], activation='tanh')"),
    (optimizers.check, "sgd(momentum=0.9, nesterov=True, clipnorm=1.0)"),
    (Target.parse, "accuracy>=0.91"),
    (Budget.parse, "480000 samples"),
]


def read(kind, values, name):
    if kind == "datasets":
        return read_dataset_card(values, name, f"{name}.toml", dataset_problems(values, name))
    card = read_experiment_card(values, name, f"{name}.toml", experiment_problems(values, name))
    for form in filter(None, (card, card.scaled)):
        experiment = Experiment.from_card(form)
        for arm in experiment.arms:
            if set(experiment.datasets) <= {"digits", "mnist", "iris", "wine", "spirals", "fashion_mnist", "cifar10"}:
                experiment.spec(experiment.datasets[0], arm, 0)
    return card


@pytest.mark.parametrize("kind", CARDS)
def test_mutated_cards_are_read_or_refused(kind):
    random, originals = Random(kind), [(path.stem, tomllib.loads(path.read_text("utf-8"))) for path in CARDS[kind]]
    for name, values in originals:
        read(kind, values, name)
    refused = 0
    for _ in range(MUTATIONS):
        name, values = random.choice(originals)
        try:
            read(kind, mutate_values(values, random), name)
        except UserError as error:
            refused += 1
            assert len(str(error)) < 20_000
    assert refused > MUTATIONS / 3


def test_mutated_texts_of_cards_are_toml_or_refused():
    random, originals = Random(1), [path.read_text("utf-8") for paths in CARDS.values() for path in paths]
    for _ in range(MUTATIONS // 8):
        with contextlib.suppress(UserError):
            parse_toml(mutate_text(random.choice(originals), random).encode("utf-8", "surrogatepass"), "the card")


@pytest.mark.parametrize(("check", "text"), TEXTS)
def test_mutated_texts_are_read_or_refused(check, text):
    random = Random(text)
    check(text)
    for _ in range(MUTATIONS):
        with contextlib.suppress(UserError):
            check(mutate_text(text, random))


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
