"""How many releases a controller carries: ours beside upstream's on one API server."""
