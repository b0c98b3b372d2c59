"""Builders of data sets from tables, texts, images and documents."""
