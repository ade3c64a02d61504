"""Which passages deserve MaxSim; one file and one line here for each way.

Each entry is a class made without arguments.
"""

CANDIDATES = {
    "exhaustive": "index.candidates.exhaustive:Exhaustive",
    "centroids": "index.candidates.centroids:Centroids",
    "faiss": "index.candidates.faiss:Faiss",
}
