"""The commands of `lfm2-colbert eval`, one file each."""
