"""Data: sources, decoding, checks and splits that do not leak."""
