"""The whole suite on a real cluster: its installation, the demo, and the end-to-end tests."""
