"""One tick of one canary, a module a step (architecture 2.1)."""
