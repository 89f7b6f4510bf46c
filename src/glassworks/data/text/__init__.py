"""Labelled texts: sources, encodings, duplicates, checks and splits that do not leak."""
