"""The core of Stellwerk: jobs, domains, providers and the embedded stack. No HTTP here."""
