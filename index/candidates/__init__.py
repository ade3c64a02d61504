"""Which passages deserve MaxSim; a file and a line here for each way. Each entry is a class made without arguments."""

CANDIDATES = {
    "exhaustive": "index.candidates.exhaustive:Exhaustive",
}
