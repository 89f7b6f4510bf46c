"""Families: one folder a kind of model, each through every stage of the flow."""
