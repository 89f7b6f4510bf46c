"""Quantities: each file declares one that objectives can be about, with its units, its direction and how it is read."""
