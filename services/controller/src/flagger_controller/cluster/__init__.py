"""The Kubernetes API: client, watch cache, Events, Lease. Knows nothing of canaries."""
