"""What is on record, for administrators."""
