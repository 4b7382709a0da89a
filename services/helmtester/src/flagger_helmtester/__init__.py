"""See the README of this service."""
