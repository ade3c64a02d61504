"""The search page: written by the server, brought to life by htmx and some script; nothing comes from elsewhere."""
