"""Does the controller leak? Weeks of a fleet in minutes, on an API server in memory."""
