"""The embedded Postgres, Valkey and Caddy, and the processes of `stellwerk up`."""
