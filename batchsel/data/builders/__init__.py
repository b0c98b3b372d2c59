"""Data sets out of tables, texts, images and documents."""
