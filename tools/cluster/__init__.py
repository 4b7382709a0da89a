"""A real Kubernetes cluster on one machine, without a container registry, for the tests."""
