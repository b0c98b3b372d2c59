"""Made-up records of runs, for tests of their analysis."""

import numpy as np

from batchsel.experiments.spec.run_spec import RunSpec

N = 1000
SEEDS = range(4)


def record_of(
    arm,
    seed,
    crossing=400,
    seconds_each=1e-3,
    dataset="digits",
    role=None,
    against=None,
    control_of="",
    points=20,
    every=100,
    scored=0,
    contended=False,
    kept=1.0,
    target="accuracy>=0.9",
    visits=None,
    targets=None,
    run_on=True,
):
    """Return a run whose accuracy first meets the target after `crossing` samples (None: never)."""
    spec = RunSpec(
        dataset, "mlp", "random", 20, "adam", 0.01, "linear", f"{points * every} samples", target, seed, run_on=run_on
    )
    role = role or ("baseline" if arm == "random" else "arm")
    evaluations = []
    for i in range(1, points + 1):
        samples = i * every
        met = crossing is not None and samples >= crossing
        value = 0.9 + 0.05 * samples / (points * every) if met else 0.85 * (1 - np.exp(-samples / 500))
        evaluations.append(
            {
                "steps": samples // 20, "samples": samples, "scored": round(scored * samples), "plans": i,
                "seconds": samples * seconds_each, "loss": float(2 - value), "accuracy": float(value),
            }
        )  # fmt: skip
    found = None if crossing is None else evaluations[-(-crossing // every) - 1]
    last = {key: evaluations[-1][key] for key in ("steps", "samples", "scored", "plans")}
    return {
        "schema": 2,
        "spec": spec.values(),
        "digest": spec.digest(),
        "arm": {
            "name": arm, "role": role, "control_of": control_of,
            "against": against if against is not None else ("" if arm == "random" else "random"),
        },
        "versions": {"python": "3.12.0", "tensorflow": "2.21.0", "batchsel": "0.1.0"},
        "machine": {"system": "Linux", "processor": "made up", "cores": 2, "load": 0.1, "devices": ["CPU"], "threads": {}},
        "xla": True,
        "sizes": {"train": N, "validation": 300, "test": 300},
        "parameters": 1234,
        "targets": targets or {},
        "reached": found is not None,
        "crossing": found,
        "first_crossing": found,
        "test": {"loss": 0.3, "accuracy": 0.91 + 0.001 * (seed % 3)},
        "counts": last,
        "kept": kept,
        "visits": visits or [100, 400, 500],
        "seconds": {
            "training": evaluations[-1]["seconds"], "tracing": 2.0, "evaluation": 0.1, "checkpoint": 0.0,
            "callbacks": 0.0, "data": 0.0,
        },
        "selection": {"planning": 0.01, "updating": 0.02},
        "evaluations": evaluations,
        "history": {"loss": [1.0, 0.5], "learning_rate": [0.01, 0.005]},
        "started": "2026-11-21T12:00:00+00:00",
        "contended": contended,
    }  # fmt: skip


def with_images(record):
    """Add images of samples, as records of image data have."""
    from batchsel.experiments.run.record_details import to_json  # which imports TensorFlow

    part = {
        "pixels": to_json(np.arange(3 * 8 * 8, dtype=np.uint8).reshape(3, 8, 8, 1)),
        "labels": ["shirt", "coat", "bag"], "visits": [9, 8, 7], "samples": [1, 2, 3],
    }  # fmt: skip
    return record | {"images": {"most": part, "least": part}}


def with_plane(record):
    """Add a map of a plane, as records of spirals have."""
    from batchsel.experiments.run.record_details import to_json  # which imports TensorFlow

    rng = np.random.default_rng(0)
    stage = {
        "samples": 100, "visits": to_json(rng.integers(0, 9, 50).astype(np.uint16)),
        "classes": to_json((np.indices((9, 9)).sum(0) % 2).astype(np.uint8)),
    }  # fmt: skip
    points = to_json(rng.normal(size=(50, 2)).astype(np.float16))
    labels = to_json(rng.integers(0, 2, 50).astype(np.uint8))
    return record | {"plane": {"points": points, "labels": labels, "extent": [-3, 3, -3, 3], "stages": [stage, stage]}}


def some_records():
    """Return runs of several arms on two data sets, with all details that figures draw."""
    found = []
    for seed in SEEDS:
        found.append(with_images(record_of("random", seed, crossing=800 + 100 * seed)))
        found.append(with_images(record_of("loss_ema", seed, crossing=400 + 50 * seed, contended=False)))
        found.append(record_of("never <b>", seed, crossing=None, kept=0.6))
        found.append(record_of("random again", seed, crossing=800 + 100 * seed, role="control", against="random"))
        found.append(with_plane(record_of("random", seed, crossing=900, dataset="spirals")))
        found.append(record_of("loss_ema", seed, crossing=700 + 100 * seed, dataset="spirals"))
    about = {"question": "Does <loss_ema> help?", "command": "batchsel compare --dataset digits"}
    return [record | {"about": about} for record in found]
