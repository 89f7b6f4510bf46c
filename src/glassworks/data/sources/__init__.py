"""Sources of data: each file here is a scheme, such as `folder:PATH`."""
