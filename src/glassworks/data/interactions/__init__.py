"""Interactions: who met what, when; read from tables, cleaned, and cut into parts without leaks."""
