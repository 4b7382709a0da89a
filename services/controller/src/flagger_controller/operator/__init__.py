"""The process: flags, kopf handlers, leadership, HTTP endpoints, wiring."""
