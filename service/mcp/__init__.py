"""Collections as tools of an assistant (Model Context Protocol): over HTTP behind the guard, or over a pipe."""
