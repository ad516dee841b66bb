"""Outside services, one folder per capability: protocol, real ones, local one."""
