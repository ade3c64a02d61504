"""A collection in forms that other programs read: one file and one line here for each."""

EXPORTS = {
    "jsonl": "index.exporting.jsonl:write",
    "parquet": "index.exporting.parquet:write",
    "qdrant": "index.exporting.qdrant:write",
    "lancedb": "index.exporting.lancedb:write",
}
"""Name → what writes it (`index.exporting.contents.Exporter`). An extra has the name of what needs it."""
