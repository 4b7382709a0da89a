"""Put before the real package: the controller's image has none, and kopf takes it where it is."""

raise ImportError("not in the controller's image")
