"""End-to-end tests: real pods, a real data plane, real load, counted at a real client."""
