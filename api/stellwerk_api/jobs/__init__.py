"""Jobs over HTTP: submit, poll, list, control, logs and artifacts."""
