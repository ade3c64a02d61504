"""The engines that are compared, one file each, behind one protocol; each runs in a process and environment of its own.

One more engine is one file with a class of `protocol.Engine`, and a line here.
"""

ENGINES = {
    "lfm2-colbert": "benchmarks.peers.ours:Ours",
    "lfm2-colbert:faiss": "benchmarks.peers.ours:NearestTokens",
    "lfm2-colbert:scalar4-coarse": "benchmarks.peers.ours:Coarse",
    "lfm2-colbert:scalar2": "benchmarks.peers.ours:TwoBits",
    "lfm2-colbert:pool-2": "benchmarks.peers.ours:PooledTwo",
    "lfm2-colbert:pool-3": "benchmarks.peers.ours:PooledThree",
    "exhaustive-numpy": "benchmarks.peers.exhaustive:Exhaustive",
    "faiss": "benchmarks.peers.token_faiss:TokenFaiss",
    "fast-plaid": "benchmarks.peers.plaid:FastPlaid",
    "pylate-plaid": "benchmarks.peers.pylate:PylatePlaid",
    "xtr-warp-rs": "benchmarks.peers.xtr_warp:XtrWarp",
    "tachiom": "benchmarks.peers.tachiom_index:TachiomIndex",
    "qdrant-edge": "benchmarks.peers.qdrant:QdrantEdge",
    "lancedb": "benchmarks.peers.lance:LanceDb",
}
"""System, as it is named in results (with how it is made after a colon, which they leave out) → its class."""
