"""Explanations of served models: in the server's process, or in one beside it that leaves it the core."""
