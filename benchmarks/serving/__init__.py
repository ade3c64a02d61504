"""What a running server is put to: hostile bodies, keys, overload, slow clients, kills; in short in `tests/faults`."""
