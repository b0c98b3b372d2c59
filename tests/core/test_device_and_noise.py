"""TensorFlow is quiet whoever imports it first, and runs say what they train on."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import tensorflow as tf

from batchsel.training.runtime import devices

NOISE = ("oneDNN", "cudart", "cpu_feature_guard", "InitializeLog")
USER_FILE = """
import keras
import batchsel.data

def load(folder):
    return batchsel.data.load("iris")
"""
FIT = """
import batchsel
fit = batchsel.fit
import keras, numpy as np
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
for verbose in {verbose}:
    fit(model, np.ones([8, 2]), np.ones(8), verbose=verbose)
"""


def run(*words, folder=None, **variables):
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"} | variables
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=folder, env=environment)


def is_noisy(text):
    return any(word in text for word in NOISE)


@pytest.mark.parametrize("variables", [{}, {"TF_CPP_MIN_LOG_LEVEL": "3"}])
def test_a_file_that_imports_keras_brings_no_messages(tmp_path, variables):
    (tmp_path / "mine.py").write_text(USER_FILE)
    done = run("-m", "batchsel", "datasets", "show", "./mine.py:load", folder=tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    assert not is_noisy(done.stderr)


def test_messages_are_shown_to_those_who_ask_for_them():
    assert is_noisy(run("-c", "import batchsel; batchsel.Trainer", TF_CPP_MIN_LOG_LEVEL="0").stderr)


def test_fit_says_its_device_once_unless_it_is_silent():
    done = run("-c", FIT.format(verbose=(0, 2, 2)), CUDA_VISIBLE_DEVICES="")
    assert done.stderr.strip() == "training on the CPU: CUDA_VISIBLE_DEVICES hides GPUs"


@pytest.mark.parametrize(
    ("built", "driver", "said"),
    [
        (True, False, "training on the CPU: no GPU was found"),
        (False, True, "training on the CPU: this TensorFlow is built without support for GPUs"),
        (True, True, "training on the CPU: there is a GPU, but no CUDA libraries for TensorFlow (pip install"),
    ],
)
def test_the_reason_for_the_cpu_is_said(monkeypatch, tmp_path, built, driver, said):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    monkeypatch.setattr(tf.test, "is_built_with_gpu_support", lambda: built)
    monkeypatch.setattr(devices, "_DRIVER", tmp_path if not driver else tmp_path / "version")
    (tmp_path / "version").write_text("")
    assert devices.describe_device().startswith(said)


def test_a_gpu_is_named(monkeypatch):
    gpus = [SimpleNamespace(name="/physical_device:GPU:0")] * 2
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: gpus)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"device_name": "NVIDIA X"})
    assert devices.describe_device() == "training on the GPU NVIDIA X, the first of 2"


def test_threads_of_the_environment_are_recorded(monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "two")
    assert devices.threads() == {"intra_op": 1, "inter_op": 0}
