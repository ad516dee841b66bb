"""Authorization servers of other services: OAuth 2.0 by the code flow with PKCE."""
