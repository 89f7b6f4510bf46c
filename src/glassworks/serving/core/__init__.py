"""Engines, models, batching and the dispatcher: no bytes of any protocol."""
