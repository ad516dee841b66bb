"""Video scripts: protocol, OpenAI, and a template writer that needs nothing."""
