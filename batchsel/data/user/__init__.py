"""Data sets without a card: user tables, texts and image folders, and TensorFlow Datasets by name."""
