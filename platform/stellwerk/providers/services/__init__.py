"""What runs instances of modules: processes of this machine, or services of a Docker Swarm."""
