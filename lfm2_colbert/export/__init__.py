"""Encoders into the formats that other programs run."""
