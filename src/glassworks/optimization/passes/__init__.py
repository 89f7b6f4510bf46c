"""Passes: each file makes a faster or smaller artifact of another."""
