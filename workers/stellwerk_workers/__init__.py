"""The processes that carry jobs out, and one handler module per noun."""
