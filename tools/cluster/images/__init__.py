"""Container images without a registry: made here, or built by a Docker engine, then loaded."""
