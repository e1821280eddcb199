"""The core of a small HTTP API."""
