"""Imaging: pictures, video, and pipelines of classical operators."""
