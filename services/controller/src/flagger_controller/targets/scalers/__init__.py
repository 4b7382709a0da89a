"""Autoscalers of targets: each gets a twin that scales the primary."""
