"""AFTERLIFE: what lets sessions outlive their process, and collectors that are away.

===============  ==============================================================================================
afterlife.py     joins the parts below
places.py        the directory: who owns which files, who is dead, how much may lie there
format.py        how records stand in a file: framed, checksummed, found again after damage
records.py       what the records say: a span as it is now, who took it for export, what was delivered
segment.py       one memory-mapped file; shelf.py: those of this process
numbers.py       resources, scopes and exporters, which records name by number
writer.py        the journal of this process: every span of a session, from its start until it is delivered
pen.py           puts its records into the files, in order, whichever threads and finalizers come at once
sinks.py         the exporters of this program: which processors give what to whom (feeds.py, sink.py)
connections.py   of these, what a forked child must not share with its parent
verdicts.py      what became of a batch: delivered, refused, to be sent again
delivery.py      sends that again, oldest first; pace.py: how fast
losses.py        counts what never arrives, and says so
reader.py        the journal of a process that is gone; rebuild.py: spans again
finishing.py     how spans are ended that it left open
recovery.py      sends them, and removes its files
===============  ==============================================================================================
"""
