"""Training of encoders: texts and pairs, a teacher's token vectors, losses, and the loop. Needs the extra ``train``."""
