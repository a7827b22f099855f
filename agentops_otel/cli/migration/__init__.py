"""What of a program calls the AgentOps SDK, and what becomes of it. It reads source code, and runs and changes nothing.

files.py         which files there are to read, and what is in them
calls.py         what a module uses of the SDK, found in its syntax tree
imports.py       its imports, as they have to be
counterparts.py  what everything becomes
report.py        the whole, on a terminal or as JSON
"""
