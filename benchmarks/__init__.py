"""Scripts that measure what the documents claim, each into one file of `results/`."""
