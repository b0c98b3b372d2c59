"""Made-up records of studies with known effects."""

import numpy as np
from made_up import N, record_of

FACTORIAL = {"kind": "factorial", "metric": "accuracy"}
SWEEP = {"kind": "batch_sizes", "metric": "accuracy", "points": 1.0, "small": 32}
BUDGETS = {"kind": "budgets", "full": "full", "pruned": "infobatch", "short": "short", "points": 1.0}
HORIZON = {"kind": "horizon"}
MODES = {"base rate": {8: 91, 32: 90.8, 128: 89, 512: 80}, "scaled": {8: 90.9, 32: 91, 128: 90.9, 512: 90.5}}
"""Points of accuracy by mode and batch size."""
LEVELS = ("off", "on")
GROUPS = ("stem", "stage 1", "stage 2", "stage 3", "head")


def studied(analysis, levels, seed, value, name=None, train=None, batch_size=20, about=None, **options):
    """Return a run of an arm with these levels whose final test accuracy is `value`, a share."""
    name = name or ", ".join(f"{factor} {level}" for factor, level in levels.items())
    record = record_of(name, seed, **{"crossing": 800, "role": "arm", "against": ""} | options)
    record["arm"]["levels"] = levels
    record["spec"]["batch_size"] = batch_size
    record["about"] = {"question": "What helps?", "analysis": analysis} | (about or {})
    record["end"] = {"test": {"accuracy": value, "loss": 2 - 2 * value}, "train_samples": 500}
    record["end"]["train"] = train or {"accuracy": value + 0.02, "loss": 1.9 - 2 * value}
    return record


def factorial_records(
    seeds=5, effect=(0.5, -0.2), interaction=0.4, noise=0.0, analysis=FACTORIAL, extra=None, **options
):
    """Return a 2 × 2 of lerac and blur; effects in points, of each alone, and of both beyond their sum."""
    rng, found = np.random.default_rng(5), []
    for seed in range(seeds):
        for one in (0, 1):
            for other in (0, 1):
                points = 90 + seed + effect[0] * one + effect[1] * other + interaction * one * other
                points += noise * rng.normal()
                levels = {"lerac": LEVELS[one], "blur": LEVELS[other]} | (extra or {})
                # Lerac alone halves what is needed, blur adds half to it, both together need as much as the product.
                crossing = int(800 * (0.5 if one else 1) * (1.5 if other else 1))
                found.append(studied(analysis, levels, seed, points / 100, **{"crossing": crossing} | options))
    return found


def sweep_records(table, seeds=5, noise=0.0, noisy_gradient=False, analysis=SWEEP, **options):
    """Return runs of {mode: {batch size: points of accuracy}}; larger batches need fewer steps and less time."""
    rng, found = np.random.default_rng(3), []
    for seed in range(seeds):
        for mode, sizes in table.items():
            for size, points in sizes.items():
                value = (points + noise * rng.normal()) / 100
                record = studied(
                    analysis, {"batch size": str(size), "mode": mode}, seed, value, batch_size=size,
                    train={"accuracy": value + 0.02 / (1 + size / 64), "loss": 1.9 - 2 * value - 0.1 / size},
                    seconds_each=1e-3 * (0.2 + 8 / size), **{"crossing": 400} | options,
                )  # fmt: skip
                for point in record["evaluations"]:
                    point["steps"] = -(-point["samples"] // size)
                    point["accuracy"] = value * (1 - np.exp(-point["samples"] / (150 + size / 2)))
                record["counts"]["steps"] = record["evaluations"][-1]["steps"]
                record["noise_scale"] = [
                    measured(passes, None if noisy_gradient else size / 32 + 60 * passes * (1 + 0.1 * seed))
                    for passes in (0.2, 0.8, 1.4, 2.0)
                ]
                found.append(record)
    return found


def measured(passes, scale):
    gradient = -0.1 if scale is None else 0.5
    return {
        "samples": passes * N, "passes": passes, "batch": 8, "many": 64, "gradient": gradient,
        "trace": (scale or 10.0) * 0.5, "scale": scale,
    }  # fmt: skip


def budget_records(seeds=5, full=92.0, pruned=91.8, short=91.3, noise=0.0, **options):
    """Return runs on full data, on pruned data with 60 % of the samples, and on full data with as many."""
    rng, found = np.random.default_rng(1), []
    for seed in range(seeds):
        for name, points, share in (("full", full, 1.0), ("infobatch", pruned, 0.6), ("short", short, 0.6)):
            value = (points + seed + noise * rng.normal()) / 100
            found.append(studied(BUDGETS, {"arm": name}, seed, value, name=name, points=round(20 * share), **options))
    return found


def horizon_records(seeds=5, ratio=0.7, noise=0.0, analysis=HORIZON, passes=(1, 2, 4), **options):
    """Return runs of random and of auto with several budgets; auto is as good with `ratio` of random's budget."""
    rng, found = np.random.default_rng(2), []
    for seed in range(seeds):
        for selector, shift in (("random", 1.0), ("auto", ratio)):
            for budget in passes:
                points = 92 + 2 * np.log(budget / shift) + 0.1 * seed + noise * rng.normal()
                levels = {"selector": selector, "budget": f"{budget} passes"}
                role = "baseline" if levels == {"selector": "random", "budget": f"{passes[0]} passes"} else "arm"
                made = studied(analysis, levels, seed, points / 100, role=role, points=10 * budget, **options)
                found.append(made)
    return found


def varied(record, groups=GROUPS):
    """Add schedules that vary over the run, and the signal-to-noise ratio of its layers."""
    samples = np.linspace(0, 2000, 200)
    rate = 0.05 * np.minimum(samples / 300, 1) * (1 - samples / 2100)
    sigma = np.maximum(2 - samples / 600, 0)
    share = np.minimum(samples / 700, 1)
    values = [rate, 0.95 - 0.1 * np.minimum(samples / 300, 1), sigma]
    values += [rate * 10.0 ** (-place * (1 - share)) for place in range(len(groups))]
    names = ["learning rate", "momentum", "blur sigma", *(f"rate of {group}" for group in groups)]
    layers = [f"block {i // 2 + 1} conv {i % 2 + 1}" for i in range(8)]
    stages = [{"samples": s, "db": [10 - 2 * i + s / 200 for i in range(8)]} for s in (0, 500, 1000, 2000)]
    return record | {
        "course": {"names": names, "samples": samples.tolist(), "values": np.array(values).T.tolist()},
        "snr": {"layers": layers, "stages": stages},
    }


def failure_of(record, **about):
    """Return the same run, as if it had failed."""
    made = {"schema": 2, "failed": "went astray", "spec": record["spec"], "digest": record["digest"]}
    return made | {"arm": record["arm"]} | about


def split_failures(records, failed):
    """Return the records that ended, and the failures of the others."""
    return [r for r in records if not failed(r)], [failure_of(r) for r in records if failed(r)]
