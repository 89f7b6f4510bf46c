"""Fitting of recommenders: each algorithm, the choice of one by size, its settings by validation, and the comparison."""
