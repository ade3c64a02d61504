"""Is this machine fit? What a newcomer can have wrong, a small check each, with one way out."""
