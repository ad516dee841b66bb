"""Text spoken aloud: protocol, ElevenLabs, engines that run on this machine, the narration."""
