"""Settings that every test shares."""

from hypothesis import settings

# A deadline for one example would make a busy machine fail a right program.
settings.register_profile("glassworks", deadline=None, max_examples=60)
settings.load_profile("glassworks")
