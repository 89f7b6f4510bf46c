"""Labelled texts: sources, duplicates, checks and splits that do not leak."""
