"""Decorators: functions of every kind, and classes, as sessions, agents, workflows, tasks, tools and guardrails.

functions.py  the one factory: surrounds each call of a function of any kind with a block
session.py    a session as the block, and as a block of its own
operation.py  a span of an operation as the block; kinds.py says what is written of which
decorator.py  applies operations to functions and to classes
content.py    arguments and results, where the user wants them; encoding.py makes bounded JSON of them
"""
