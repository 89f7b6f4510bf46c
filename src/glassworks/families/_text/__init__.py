"""What the families of text classifiers share."""
