"""Evaluation sets, each a `Task`."""
