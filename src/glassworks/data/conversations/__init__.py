"""Conversations to learn from."""
