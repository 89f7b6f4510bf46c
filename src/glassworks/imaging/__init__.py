"""Imaging: classical operators on pictures, pipelines of them, and video: everything that is seen and not learned."""
