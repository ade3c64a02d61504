"""What indexing would cost, and what each way to store vectors would lose, before anything is stored.

Files are read as an indexing run reads them, a sample of their passages goes through that very run into a collection
that is thrown away, and what it took is scaled to the whole.
"""
