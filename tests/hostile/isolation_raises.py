"""A module whose import raises."""

raise OSError("libmissing.so: cannot open shared object file")
