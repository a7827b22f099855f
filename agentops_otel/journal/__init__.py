"""AFTERLIFE: what lets sessions outlive their process, and collectors that are away.

===============  ==============================================================================================
places.py        the directory: who owns which files, who is dead, how much may lie there
format.py        how records stand in a file: framed, checksummed, found again after damage
records.py       what the records say: a span as it is now, who took it for export, what was delivered
segment.py       one memory-mapped file
writer.py        the journal of this process: every span of a session, from its start until it is delivered
sinks.py         the exporters of this program: what they are given, and what they say became of it
delivery.py      sends again what could not be delivered
reader.py        the journal of a process that is gone, as spans
recovery.py      finishes what that process left open, and sends it
===============  ==============================================================================================
"""
