"""File formats: idx, npz, delimited text, Parquet, documents, JPEG streams, archives, files prepared by TFDS."""
