"""The word index: what stands in a passage, letter by letter, beside what it means."""
