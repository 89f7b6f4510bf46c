"""Fitting of recommenders: the algorithms, the choice of one by size, settings by validation, comparison."""
