"""Foreign dialects of the search API: a file a vendor, each with a `router`; they know nothing of each other."""
