"""Adapting an encoder to a folder: from documents to questions, a trained encoder, and whether it is better."""
