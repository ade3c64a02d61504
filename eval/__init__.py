"""Is it good? Data sets, measures and baselines for the index as it is served."""
