"""Where a command's collections are: on this machine, or on a server. Commands ask a `Backend` and never know."""
