"""Engines: what computes for one version of a model, in this process or in one of its own, behind one client."""
