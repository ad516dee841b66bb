"""Originating calls: one protocol, and those who speak to the switches and carriers."""
