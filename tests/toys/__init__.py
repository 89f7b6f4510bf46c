"""A small extension of each kind, one file each, as somebody else would write it; see tests/test_extensions.py."""
