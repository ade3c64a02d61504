"""What writes answers, by kind; `choosing.py` reads which one an operator wants."""

GENERATORS = {
    "extractive": "service.rag.generators.extractive:Extractive",
    "openai": "service.rag.generators.openai:OpenAI",
    "local": "service.rag.generators.local:Local",
}
