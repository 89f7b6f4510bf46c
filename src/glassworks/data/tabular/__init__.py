"""Tables in files: one reader for texts, labels of pictures, interactions and items."""
