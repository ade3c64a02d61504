"""Documents of every format: made for tests, gathered from packages for measurements, and broken on purpose."""
