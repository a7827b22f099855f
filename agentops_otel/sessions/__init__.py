"""LIFE: what a session is, from its start to its end.

No files, no signals, no exit hooks here: those rooms observe the registry.
"""
