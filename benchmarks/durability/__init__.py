"""Programmes that try to make a collection lose or invent something: kills, crashes, failing disks, damage at rest.

Each is a module with a function of a size and a seed; `python -m benchmarks.durability` runs them whole and writes
``results/durability.json``, the tests in ``tests/faults`` run each briefly. Vectors come from a stub that only the text
decides, so every stored vector can be checked.
"""
