"""Prepare small sets with TensorFlow Datasets: `prepare_with_tfds.py FORMAT FOLDER`."""

import sys
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

sys.path.insert(0, str(Path(__file__).parents[2]))
from data_files import digit_arrays


class Tiny(tfds.core.GeneratorBasedBuilder):
    """Small version of the builder of MNIST: shuffled by the number of the row."""

    VERSION = tfds.core.Version("3.0.1")

    def _info(self):
        image, label = tfds.features.Image(shape=(28, 28, 1)), tfds.features.ClassLabel(num_classes=10)
        features = tfds.features.FeaturesDict({"image": image, "label": label})
        return tfds.core.DatasetInfo(builder=self, features=features, supervised_keys=("image", "label"))

    def _split_generators(self, manager):
        return {split: self._generate_examples(split) for split in ("train", "test")}

    def _generate_examples(self, split):
        arrays = digit_arrays()
        for row, (image, label) in enumerate(zip(arrays[f"x_{split}"], arrays[f"y_{split}"], strict=True)):
            yield row, {"image": image[..., None], "label": int(label)}


class Sizes(tfds.core.GeneratorBasedBuilder):
    """Images of several sizes, with only a training split."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        image, label = tfds.features.Image(shape=(None, None, 3)), tfds.features.ClassLabel(names=["dark", "light"])
        features = tfds.features.FeaturesDict({"image": image, "label": label})
        return tfds.core.DatasetInfo(builder=self, features=features, supervised_keys=("image", "label"))

    def _split_generators(self, manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for row in range(60):
            shape = (20 + row % 7, 30 - row % 5, 3)
            yield row, {"image": np.full(shape, 200 * (row % 2) + row % 50, np.uint8), "label": row % 2}


class Moods(tfds.core.GeneratorBasedBuilder):
    """Texts, with a validation split but no test split."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        text, label = tfds.features.Text(), tfds.features.ClassLabel(names=["sad", "glad"])
        features = tfds.features.FeaturesDict({"text": text, "label": label})
        return tfds.core.DatasetInfo(builder=self, features=features, supervised_keys=("text", "label"))

    def _split_generators(self, manager):
        return {"train": self._generate_examples(60), "validation": self._generate_examples(20)}

    def _generate_examples(self, count):
        for row in range(count):
            yield row, {"text": f"{'good' if row % 2 else 'bad'} day number{row}", "label": row % 2}


if __name__ == "__main__":
    for builder in (Tiny, Sizes, Moods):
        builder(data_dir=sys.argv[2], file_format=sys.argv[1]).download_and_prepare()
