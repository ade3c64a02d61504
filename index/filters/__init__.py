"""Which passages may be found at all: a small language about metadata, and the table it is answered from."""
