"""File formats: idx, delimited text, Parquet, JPEG streams, archives."""
