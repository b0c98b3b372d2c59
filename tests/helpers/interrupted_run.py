"""A run in a separate process, to be interrupted: ``interrupted_run.py CHECKPOINT PAUSE``.

It resumes from the checkpoint if there is one, and prints a digest of all results at the end.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

import keras
import tensorflow as tf
from problems import classes, noisy_mlp

from batchsel import Trainer


def main():
    path, pause = Path(sys.argv[1]), float(sys.argv[2])
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(0)
    x, y = classes(200)
    model = noisy_mlp(optimizer=keras.optimizers.Adam(0.01))
    trainer = Trainer(model, "smart(every=3)", batch_size=16, schedule="cosine", compile="graph")
    if path.exists():
        trainer.resume(path)
    pauses = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(pause))
    options = {"evaluate_every": 0.3, "validation_data": (x, y), "checkpoint": path, "verbose": 0}
    try:
        history = trainer.fit(x, y, epochs=9, callbacks=[pauses], **options).history
    except KeyboardInterrupt:
        print("interrupted")
        sys.exit(130)
    digest = hashlib.sha256(json.dumps([history, trainer.counts], sort_keys=True).encode())
    for name, variable in sorted(trainer.variables().items()):
        digest.update(name.encode() + variable.numpy().tobytes())
    print(f"done {len(history['loss'])} {digest.hexdigest()}")


main()
