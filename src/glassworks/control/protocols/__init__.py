"""Protocols of others over runs: each module holds one, which answers on the event loop like those of models."""
