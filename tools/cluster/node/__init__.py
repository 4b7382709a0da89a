"""The real node: container runtime, kubelet, service proxy, pod network, cluster DNS."""
