"""FreeSWITCH by its Event Socket: one connection, one reader, hundreds of calls."""
