"""Every example in `examples/` runs, draws, and shows what its text says."""

import contextlib
import io
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.py"))
MAX_LINES = 80


def losses_agree_in_the_same_order(names, said):
    assert names["difference"] < 1e-4


def choices_move_to_the_inner_end(names, said):
    radius = np.hypot(*names["x"].T)
    early, late = (np.average(radius, weights=look[1]) for look in (names["look"].kept[0], names["look"].kept[2]))
    assert late < early - 0.1


def hardest_samples_are_left_out(names, said):
    visits = names["trainer"].visits
    assert visits.sum() >= 10 * len(visits)
    assert visits.max() > 3 * np.median(visits) > 0


def most_suspects_are_wrong(names, said):
    assert names["found"] > 0.8
    assert len(names["cleaned"]) == len(names["x"]) - names["wrong"].sum()


def rare_classes_are_chosen_more_often(names, said):
    share = {name: share for name, (share, _) in names["results"].items()}
    assert share["random"][9] < share["loss_ema"][9] < share["balanced"][9]
    rarest = {name: np.mean(recall[7:]) for name, (_, recall) in names["results"].items()}
    assert rarest["random"] < min(rarest["balanced"], rarest["random, class_weight"])


def buckets_save_padding(names, said):
    shuffled, bucketed = names["shares"].values()
    assert bucketed < shuffled / 2


def curriculum_ends_sharp_and_large(names, said):
    log = names["trainer"].schedule_log
    values = dict(zip(log["names"], np.transpose(log["values"]), strict=True))
    assert (values["blur sigma"][0], values["blur sigma"][-1]) == (2.0, 0.0)
    assert (values["picture scale"][0], values["picture scale"][-1]) == (0.5, 1.0)


def verdicts_are_stated(names, said):
    assert said.count("on digits, accuracy>=0.95: ") == len(names["results"].analysis.comparisons) == 3
    assert names["failures"] == []


def resumed_run_ends_like_the_whole_one(names, said):
    assert "signal 9" in said
    assert names["killed"].returncode == -9
    assert names["gap"] < 1e-6
    np.testing.assert_array_equal(names["resumed"].visits, names["whole"].visits)


def streamed_run_is_that_in_memory(names, said):
    np.testing.assert_allclose(names["streamed"], names["in_memory"], rtol=1e-4)
    assert max(map(len, names["source"].read)) <= 1000


def every_schedule_trains(names, said):
    assert said.count("validation loss at the end") == len(names["SCHEDULES"])
    assert names["losses"][:, -1].max() < 0.5


def held_out_sonnet_is_predicted_better_than_at_first(names, said):
    assert names["perplexity"].min() < 0.7 * names["perplexity"][0] < 0.7 * len(names["letters"])


CLAIMS = {
    "drop_in_for_model_fit": losses_agree_in_the_same_order,
    "who_gets_chosen": choices_move_to_the_inner_end,
    "selector_in_ten_lines": hardest_samples_are_left_out,
    "find_wrong_labels": most_suspects_are_wrong,
    "imbalanced_classes": rare_classes_are_chosen_more_often,
    "text_with_length_buckets": buckets_save_padding,
    "image_curriculum": curriculum_ends_sharp_and_large,
    "compare_selectors": verdicts_are_stated,
    "resume_after_a_kill": resumed_run_ends_like_the_whole_one,
    "stream_from_disk": streamed_run_is_that_in_memory,
    "schedule_study": every_schedule_trains,
    "shakespeare_language_model": held_out_sonnet_is_predicted_better_than_at_first,
}


@pytest.fixture
def figures(monkeypatch):
    """Draw without a window, and return the figures that are open after an example."""
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    yield lambda: [plt.figure(number) for number in plt.get_fignums()]
    plt.close("all")


def test_every_example_has_a_claim():
    assert sorted(CLAIMS) == EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_short_and_begins_with_a_title(name):
    lines = (FOLDER / f"{name}.py").read_text("utf-8").splitlines()
    assert len(lines) < MAX_LINES
    assert lines[0] == '"""'
    assert lines[2] == "=" * len(lines[1])
    assert any(line == "# %%" for line in lines)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", EXAMPLES)
def test_example_shows_what_it_says(name, figures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATCHSEL_DATA", str(tmp_path / "none"))
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        names = runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    CLAIMS[name](names, said.getvalue())
    (figure,) = figures()
    figure.canvas.draw()
    assert all(axis.has_data() or axis.texts for axis in figure.axes)
