"""The commands of `lfm2-colbert eval`, one file each, loaded when they are called."""

COMMANDS = {
    "folder": "service.cli.evaluation.folder:folder",
    "nanobeir": "service.cli.evaluation.nanobeir:nanobeir",
    "beir": "service.cli.evaluation.beir:beir",
    "download": "service.cli.evaluation.download:download",
    "compare": "service.cli.evaluation.compare:compare",
}
"""Name → its command."""
