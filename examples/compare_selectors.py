"""
A comparison with a verdict
===========================

One run says nothing about a selector: seeds differ more than selectors do. An experiment states its arms and seeds
before anything is run; all arms run on the same seeds, and shuffling runs twice. This is ``batchsel compare`` in
Python, with five seeds; a claim needs more, see the page on experiments.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from batchsel.analysis.report.results import compute_results
from batchsel.analysis.verdict import sentence
from batchsel.experiments.compare.experiment import Experiment
from batchsel.experiments.compare.run_experiment import run_experiment
from batchsel.experiments.run.parse_record import parse_failures, parse_runs
from batchsel.experiments.run.runner import RunContext

experiment = Experiment(
    name="digits",
    question="Does choosing by loss reach 95 % sooner than shuffling?",
    datasets=("digits",),
    arms={name: {"selector": name} for name in ("loss_ema", "smart")},
    seeds=range(5),
    settings={"budget": "8 passes", "target": "accuracy>=0.95", "model": "mlp(hidden=[64])"},
    controls=("again",),
)

# %%
# Records are lines of JSON in a folder. Run again with the same folder, nothing is repeated, and seeds can be added.
# With ``alone=True`` (the default) runs wait until no other run uses the machine, and seconds are compared; here the
# machine may be busy with other things, so samples are.

with tempfile.TemporaryDirectory() as folder:
    context = RunContext(out=Path(folder), alone=False, checkpoints=False, detail=False)
    records, failures = run_experiment(experiment, context)
results = compute_results(parse_runs(records), parse_failures(failures))
for comparison in results.analysis.comparisons:
    print(sentence(comparison))

# %%
# The verdict says "faster" only if the whole interval lies on that side and p, corrected for the number of arms, is at
# most 0.05. Left: ratios to shuffling with 95 % intervals; shuffling against itself needs the same samples, and differs
# in time alone. Right: the curves behind them, one for each seed.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for place, comparison in enumerate(results.analysis.comparisons):
    ratio = comparison.samples
    left.plot([ratio.low, ratio.high], [place] * 2, color="tab:blue", lw=2)
    left.plot(ratio.value, place, "o", color="tab:blue")
left.axvline(1, color="gray", lw=0.8)
left.set(yticks=range(place + 1), xlabel="samples to the target over those of random", ylim=(place + 0.5, -0.5))
left.set_yticklabels([comparison.arm.arm for comparison in results.analysis.comparisons])
for color, arm in zip(["tab:gray", "tab:red", "tab:green"], experiment.arms, strict=True):
    for record in (record for record in records if record["arm"]["name"] == arm):
        samples, accuracy = np.transpose([(point["samples"], point["accuracy"]) for point in record["evaluations"]])
        right.plot(samples, accuracy, color=color, lw=1, label=arm if record["spec"]["seed"] == 0 else None)
right.axhline(0.95, color="black", lw=0.8, ls="--")
right.set(xlabel="samples trained on", ylabel="validation accuracy", ylim=(0.8, 1))
right.legend()
plt.show()
