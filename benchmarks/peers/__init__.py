"""The engines that are compared, one file each, behind one protocol; each runs in a process and environment of its own.

One more engine is one file with a class of `protocol.Engine`, and a line here.
"""

ENGINES = {
    "lfm2-colbert": "benchmarks.peers.ours:Ours",
    "exhaustive-numpy": "benchmarks.peers.exhaustive:Exhaustive",
    "faiss": "benchmarks.peers.token_faiss:TokenFaiss",
    "fast-plaid": "benchmarks.peers.plaid:FastPlaid",
    "pylate-plaid": "benchmarks.peers.pylate:PylatePlaid",
    "xtr-warp-rs": "benchmarks.peers.xtr_warp:XtrWarp",
    "tachiom": "benchmarks.peers.tachiom_index:TachiomIndex",
    "qdrant-edge": "benchmarks.peers.qdrant:QdrantEdge",
    "lancedb": "benchmarks.peers.lance:LanceDb",
}
"""System, as it is named in results → its class."""
