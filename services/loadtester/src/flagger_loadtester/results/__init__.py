"""The figures of load tests, read from what their programs print."""
