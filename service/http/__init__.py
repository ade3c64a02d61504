"""The search engine over HTTP, as one process serves it to many."""
