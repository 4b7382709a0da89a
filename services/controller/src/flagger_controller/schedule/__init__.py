"""Which canary is due when."""
