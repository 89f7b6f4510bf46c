"""Explanation methods: each file is a pure function of artifact, example, target, baseline, budget and seed."""
