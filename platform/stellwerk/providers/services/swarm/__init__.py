"""Modules as services of a Docker Swarm."""
