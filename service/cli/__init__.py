"""The command `lfm2-colbert`: one file a command, loaded when it is called."""

COMMANDS = {
    "index": "service.cli.index:index",
    "search": "service.cli.search:search",
    "rerank": "service.cli.rerank:rerank",
    "collections": "service.cli.collections:collections",
    "status": "service.cli.status:status",
    "get": "service.cli.get:get",
    "delete": "service.cli.delete:delete",
    "optimize": "service.cli.optimize:optimize",
    "rebuild": "service.cli.rebuild:rebuild",
    "verify": "service.cli.verify:verify",
    "repair": "service.cli.repair:repair",
    "backup": "service.cli.backup:backup",
    "restore": "service.cli.restore:restore",
    "keys": "service.cli.keys:keys",
    "eval": "service.cli.evaluation.group:evaluation",
    "train": "service.cli.train:train",
    "merge": "service.cli.merge:merge",
    "mine": "service.cli.mine:mine",
    "score": "service.cli.score:score",
    "adapt": "service.cli.adapt:adapt",
    "export": "service.cli.export:export",
    "serve": "service.cli.serve:serve",
    "mcp": "service.cli.mcp:mcp",
    "doctor": "service.cli.doctor:doctor",
}
"""Name → its command. These modules import no numpy, faiss or onnxruntime at their top: help is instant."""
