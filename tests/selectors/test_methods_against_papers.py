"""Every method that plans by history against its published rule, written again in NumPy: counts over many plans.

An oracle returns how often each sample is expected in a plan, and the weights of those drawn, from what each sample
has shown. Pools are in `test_pools_against_papers.py`. The table `docs/methods.md` names what differs from the papers.
"""

import numpy as np
import pytest
from exact_kmeans import exact_groups
from made_up_runs import Run, drawn, play
from scipy import stats

from batchsel.selectors.registry import REGISTRY

TIMES = 200
RUNS = {
    "start": Run(61, 8, plans=0),
    "warmup": Run(61, 8, passes=0.9, progress=0.01, classes=2),
    "middle": Run(61, 8, passes=40, progress=0.4),
    "nan": Run(61, 8, passes=40, progress=0.4, nan=True),
    "classes": Run(150, 16, passes=40, progress=0.4, classes=100),
    "short": Run(61, 8, passes=2, progress=0.45),
    "end": Run(61, 8, passes=95, progress=0.95),
}


def by_score(run, scores):
    """Return expected counts of draws in proportion, unseen samples first."""
    first = np.isinf(scores)
    if first.sum() >= run.rows:
        return first * run.rows / first.sum()
    shares = np.where(first | np.isnan(scores), 0, np.maximum(np.where(first, 0, scores), 0))
    shares = shares if shares.sum() > 0 else np.where(first, 0, 1.0)
    return first + (run.rows - first.sum()) * shares / shares.sum()


def kept(probabilities):
    """Return expected counts of samples kept by chance; unseen samples are, those without a number are not."""
    return np.where(np.isnan(probabilities), 0, np.minimum(probabilities, 1))


def mean_over_ties(scores, of_rank):
    """Return a function of the descending rank, 1 for the highest, averaged over samples of equal score."""
    values = of_rank(np.arange(1, len(scores) + 1))
    descending = np.sort(-scores)
    return np.array([values[descending == -score].mean() for score in scores])


def known_mean(losses):
    return losses[np.isfinite(losses)].mean() if np.isfinite(losses).any() else 1.0


def quantile(losses, share):
    known = np.sort(losses[np.isfinite(losses)])
    return known[max(int(np.ceil(share * len(known) - 1e-6)), 1) - 1] if len(known) else np.inf


def waited(run, passes):
    """Return which samples have been trained on last more than some passes ago."""
    times = np.full(run.n, run.passes)
    for place, (indices, _) in enumerate(rounds_of(run)):
        times[indices] = (8 - place) * max(2 * run.n // 3, 1) / run.n
    return times > passes


def soft_keep(run):
    probabilities = 0.1 + 0.5 * run.last / (known_mean(run.last) or 1)
    return kept(np.where(np.isinf(run.last), 1, probabilities)), None


def auto(run):
    known = np.isfinite(run.last)
    losses = np.minimum(run.last[known], quantile(run.last, 0.99))
    weights = np.ones(run.n)
    if known.any() and losses.sum() > 0:
        share = losses.sum() ** 2 / (len(losses) * (losses**2).sum())
        weights[known] = np.minimum(0.1 + 0.9 * share * losses / losses.mean(), 1)
    return kept(np.where(np.isnan(run.last), np.nan, weights)), 1 / weights


def loss_ema(run):
    def average(values):
        decays = 0.1 * 0.9 ** np.arange(len(values))[::-1]
        return (decays * values).sum() / decays.sum()

    return by_score(run, run.each("loss", average)), None


def batch_loss_score(run):
    averages, corrections = np.zeros(run.n), np.zeros(run.n)
    for indices, losses in rounds_of(run):
        averages[indices] = 0.9 * averages[indices] + 0.1 * losses.mean()
        corrections[indices] = 0.9 * corrections[indices] + 0.1
    return by_score(run, np.divide(averages, corrections, out=np.full(run.n, np.inf), where=corrections > 0)), None


def smart(run):
    scores = np.nan_to_num(run.each("loss", lambda v: (0.9 ** np.arange(len(v))[::-1] * v).sum()
                                    / (0.9 ** np.arange(len(v))[::-1]).sum()), posinf=np.inf)  # fmt: skip
    exploiting = run.rows - round(run.rows / 2)
    best = scores >= np.sort(scores)[::-1][max(1, round(0.2 * run.n)) - 1] * (1 - 1e-6)
    first = best * exploiting / best.sum()
    if (first > 1).any():  # all of the best are in the plan, some twice; the others explore
        return first + ~best * (run.rows - exploiting) / (~best).sum(), None
    return first + (1 - first) * (run.rows - exploiting) / (run.n - exploiting), None


def online_batch(run):
    if run.passes < 1:
        return by_score(run, np.where(np.isinf(run.last), np.inf, 1.0)), None
    pressure = np.log(100) * (1 - run.progress)
    chances = mean_over_ties(run.last, lambda rank: np.exp(-rank * pressure / run.n))
    return by_score(run, np.where(np.isinf(run.last), np.inf, chances)), None


def prioritised(run):
    scores = np.where(np.isinf(run.last), np.inf, (np.where(np.isinf(run.last), 0, run.last) + 1e-6) ** 0.6)
    return by_score(run, scores), None


def infobatch(run):
    low = run.last < known_mean(run.last)
    if run.progress >= 0.875:
        low = np.zeros(run.n, bool)
    return np.where(low, 0.5, 1), np.where(low, 2, 1)


def stale_backprop(run):
    n = run.n
    chances = mean_over_ties(run.last, lambda rank: np.maximum(1 - (rank - 1) / n, 0.05))
    return kept(np.where(np.isinf(run.last) | waited(run, 3), 1, chances)), None


def seta(run):
    if run.progress >= 0.875:
        return np.ones(run.n), None
    known = np.isfinite(run.last)
    used = np.ones(run.n)
    if known.any():
        first = run.plans % 4
        groups = exact_groups(run.last[known], 10)
        inside = (groups >= first) & (groups < first + 7)
        used[known] = inside if inside.any() else 1
    return 0.9 * used, None


def evolved_sampling(run):
    def score(values):
        average = values[0]
        for value in values:
            found = 0.2 * average + 0.8 * value
            average = 0.9 * average + 0.1 * value
        return found

    return by_score(run, run.each("loss", score)), None


def memory_importance(run):
    def average(values):
        decays = 0.1 * 0.9 ** np.arange(len(values))[::-1]
        return (decays * values).sum() / decays.sum()

    scores = run.each("gradient_norm", average)
    known = np.isfinite(scores)
    mixed = np.where(known, 0.9 * scores / (scores[known].mean() if known.any() else 1) + 0.1, np.inf)
    chances = np.where(known, mixed, 0) / max(np.where(known, mixed, 0).sum(), 1e-9)
    weights = np.where(known, 1 / np.maximum(known.sum() * chances, 1e-9), 1)
    return by_score(run, mixed), weights


def kakurenbo(run):
    factor = {0.4: 0.8, 0.45: 0.8, 0.95: 0.4}.get(run.progress, 1)
    hidden = int(0.3 * factor * run.n + 1e-6)
    chance = mean_over_ties(run.last, lambda rank: rank > run.n - hidden)
    sure = run.each("probability", lambda values: values[-1] >= 0.7) * run.each("correct", lambda values: values[-1])
    return 1 - np.where(np.isinf(run.last), 0, chance * np.where(np.isinf(sure), 0, sure)), None


def ies(run):
    def mastered(losses):
        bends = np.abs(np.diff(losses, 2))
        return len(losses) >= 6 and bends[-3:].mean() < 0.5

    out = run.each("loss", mastered) == 1
    return (~out).astype(float), None


def repb(run):
    low, visits, mean = np.zeros(run.n, bool), np.zeros(run.n), 0.0
    for place, (indices, losses) in enumerate(rounds_of(run)):
        mean += (losses.mean() - mean) / min(max(place + 1, 1), 8)
        low[indices], visits[indices] = losses < mean, visits[indices] + 1
    if run.progress >= 0.875:
        return np.ones(run.n), np.ones(run.n)
    return np.where(low, 0.5, 1), np.maximum((run.plans + 1) / (visits + 1), 1)


def rounds_of(run):
    """Yield indices and losses of each round of `made_up_runs.play`, from the same random numbers."""
    generator = np.random.default_rng(run.n)
    seen = np.zeros(run.n, int)
    for _ in range(9 if run.passes else 0):
        indices = generator.permutation(run.n - 2)[: max(2 * run.n // 3, 1)]
        size = len(indices)
        generator.exponential(size=size), generator.uniform(size=size), generator.uniform(0.01, 1, size)
        generator.integers(0, 2, size), generator.integers(0, run.classes, size), generator.uniform(0, 1.4, size)
        generator.uniform(-1, 1, size)
        yield indices, np.array([run.shown["loss"][i][seen[i]] for i in indices])
        seen[indices] += 1


def is_warm(run, passes):
    return run.passes < passes and run.progress < 0.5


def equal(run):
    return np.where(np.isinf(run.last), np.inf, 1.0)


def active_bias(run):
    def spread(values):
        variance = values.var(ddof=1) if len(values) > 1 else 0
        return np.sqrt(variance + variance**2 / max(len(values) - 1, 1)) + 0.02

    return by_score(run, equal(run) if is_warm(run, 10) else run.each("probability", spread)), None


def pressed(run, scores, start, end, passes):
    if is_warm(run, passes):
        return equal(run)
    over = min(passes * run.progress / run.passes, 0.5)  # progress at the end of the warmup
    share = (run.progress - over) / (1 - over)
    pressure = start * (end / start) ** share
    return np.where(np.isinf(scores), np.inf, pressure ** (np.clip(np.where(np.isinf(scores), 0, scores), 0, 1) - 1))


def recency_bias(run):
    def entropy(values):
        shares = np.unique(values[-10:], return_counts=True)[1] / len(values[-10:])
        return -(shares * np.log(shares)).sum() / np.log(run.classes)

    return by_score(run, pressed(run, run.each("predicted", entropy), 100, 1, 10)), None


def ada_boundary(run):
    largest = np.sqrt(run.classes - 1) / run.classes
    scores = run.each("boundary_distance", lambda values: 1 - abs(values[-1]) / largest)
    return by_score(run, pressed(run, scores, 32, 32, 15)), None


def forgetting(run):
    events = run.each("correct", lambda values: ((values[:-1] == 1) & (values[1:] == 0)).sum())
    never = run.each("correct", lambda values: not values.any()) == 1
    most = max(events[np.isfinite(events)], default=0)
    return by_score(run, np.where(never, most + 1, events) + 0.5), None


def loss_threshold(run):
    above = run.last > 0.5
    if above.sum() < run.b:
        above |= run.last >= np.sort(run.last)[::-1][run.b - 1]
    return (above | waited(run, 3)).astype(float), None


def self_paced(run):
    if run.passes < 1:
        return np.ones(run.n), None
    # The first round that ends at n samples or more sets the limit.
    losses, size = np.full(run.n, np.inf), max(2 * run.n // 3, 1)
    for place, (indices, values) in enumerate(rounds_of(run)):
        losses[indices] = values
        if max(round(run.passes * run.n) - (8 - place) * size, size) >= run.n:
            break
    limit = quantile(losses, 0.5) * 1.3 ** (run.passes - 1)
    return (np.isinf(run.last) | (run.last <= limit)).astype(float), None


def orderdp(run):
    drawn, losses = int(0.75 * run.n), np.where(np.isinf(run.last), 3, run.last)
    chosen = int(0.85 * drawn)

    def of_rank(rank):
        """Return the chance to be drawn, and to have fewer than `chosen` of the drawn ones above."""
        return drawn / run.n * stats.hypergeom(run.n - 1, rank - 1, drawn - 1).cdf(chosen - 1)

    return mean_over_ties(losses, of_rank), np.ones(run.n)


def rcap(run):
    classes = run.labels
    highest = np.log(max(len(np.unique(classes)), 2))
    importance = np.exp(np.clip(np.nan_to_num(run.last, posinf=np.inf), 0, highest))
    seen = np.isfinite(run.last) | np.isnan(run.last) if run.passes else np.ones(run.n, bool)
    rooms = {}
    for one in np.unique(classes):
        mass = importance[(classes == one) & seen].sum() / importance[classes == one].sum()
        rooms[one] = np.sqrt((mass or 1) * (classes == one).sum())
    quotas, left, open_ = {}, 0.5 * run.n, dict(rooms)
    while open_:
        factor = left / sum(open_.values())
        full = [one for one, room in open_.items() if factor * room > (classes == one).sum()]
        if not full:
            quotas |= {one: int(np.ceil(factor * room - 1e-6)) for one, room in open_.items()}
            break
        for one in full:
            quotas[one] = (classes == one).sum()
            left -= quotas[one]
            del open_[one]
    generator, times = np.random.default_rng(0), 4000
    counts = np.zeros(run.n)
    for one, quota in quotas.items():
        rows = np.flatnonzero(classes == one)
        if quota == len(rows):
            counts[rows] += times
            continue
        for _ in range(times):
            chances = importance[rows] / importance[rows].sum()
            counts[generator.choice(rows, quota, replace=False, p=chances)] += 1
    return counts / times, np.ones(run.n)


def curriculum(run):
    share = 0.1 ** (1 - min(run.progress / 0.5, 1))
    return (np.isinf(run.last) | (run.last <= quantile(run.last, share))).astype(float), None


def once(run):
    return np.ones(run.n), np.ones(run.n)


def with_replacement(run):
    return np.full(run.n, run.rows / run.n), np.ones(run.n)


ORACLES = {
    "random": once, "fixed": once, "with_replacement": with_replacement, "stratified": once, "mapping": once,
    "length_buckets": once, "ordered_sgd": once, "auto": auto, "soft_keep": soft_keep, "loss_ema": loss_ema, "smart": smart,
    "batch_loss_score": batch_loss_score,
    "online_batch": online_batch, "prioritised": prioritised, "infobatch": infobatch, "stale_backprop": stale_backprop,
    "seta": seta, "evolved_sampling": evolved_sampling, "memory_importance": memory_importance, "kakurenbo": kakurenbo,
    "ies(0.5)": ies, "repb": repb, "active_bias": active_bias, "recency_bias": recency_bias,
    "ada_boundary": ada_boundary, "forgetting": forgetting, "loss_threshold": loss_threshold,
    "self_paced": self_paced, "curriculum": curriculum, "orderdp": orderdp, "rcap": rcap,
}  # fmt: skip
ELSEWHERE = dict.fromkeys(["rs2", "growing", "falling", "volume", "scheduled_subset"], "test_orders_and_guards")
"""Methods whose plans are the same for every step, or share an order of the whole run."""
UNDEFINED = {
    "online_batch",
    "stale_backprop",
    "kakurenbo",
    "repb",
    "smart",
    "prioritised",
    "self_paced",
    "seta",
    "orderdp",
    "batch_loss_score",
}
"""Methods that compare losses by their order or bits, or average a batch, where one that is no number has no place."""
CASES = [(text, moment) for text in ORACLES for moment in RUNS if moment != "nan" or text not in UNDEFINED]


@pytest.mark.parametrize(("text", "moment"), CASES)
def test_samples_are_drawn_as_often_as_the_paper_says(text, moment):
    run = RUNS[moment]
    _, state, context = play(text, run)
    expected, weights = ORACLES[text](run)
    times = 4 if set(expected) <= {0.0, 1.0} else TIMES
    counts, found, scored = drawn(text, run, state, context, times)
    spread = np.sqrt(np.maximum(expected % 1 * (1 - expected % 1), 1e-3) / times)
    if text == "with_replacement":
        assert stats.chisquare(counts.sum(axis=0)).pvalue > 1e-5
    else:
        assert np.abs((counts.mean(axis=0) - expected) / spread).max() < 5
        if times < TIMES:
            assert (counts == expected).all()
    if weights is not None:
        drawn_once = counts.sum(axis=0) > 0
        np.testing.assert_allclose(found[drawn_once], weights[drawn_once], rtol=2e-3)
    if text in ("kakurenbo", "ies(0.5)"):
        assert (counts + scored == 1).all()  # whatever is left out is scored


def test_every_method_has_an_oracle():
    families = {"order", "history", "cost"}
    methods = {name for name, entry in REGISTRY.built_in_entries.items() if entry.family in families}
    assert methods == {text.partition("(")[0] for text in ORACLES} | set(ELSEWHERE)
