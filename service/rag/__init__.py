"""Answers out of a collection, each sentence of which is held against the passages it rests on."""
