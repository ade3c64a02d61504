"""What a server does, without a word of HTTP: open collections, encoded queries, writers, jobs."""
