"""Pictures for scenes: protocol, OpenAI, slides drawn on this machine, the thumbnail."""
