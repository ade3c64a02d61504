"""`python -m service` is `lfm2-colbert`."""

from service.cli.main import main

main()
