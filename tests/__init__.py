"""A package of its own, since an installed library brings a package of this name too."""
