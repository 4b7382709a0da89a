"""Metrics: who judges a release, and what we export about it.

The registry of sources is in `api/metrictemplate.py`.
"""
