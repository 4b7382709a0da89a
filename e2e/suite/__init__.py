"""Installs the suite on a cluster, and the tools that the demo and the tests share."""
