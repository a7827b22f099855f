"""Keep the failed ones: a session is exported as a whole or not at all, and that is decided at its end.

    provider = TracerProvider(sampler=SessionSampler(0.1))
    provider.add_span_processor(KeepSessions(BatchSpanProcessor(OTLPSpanExporter()), slower_than=30))

A tenth of the sessions is sampled from the start, as ever. The others are recorded and held back in this process; the
interesting ones among them (by default those that failed or did not end by themselves) are exported after all.
docs/keep-the-failed.md says more, and how a Collector does the same for many processes.

sampler.py     the decision at the start of a session
processor.py   the decision at its end
policy.py      which sessions are interesting
waiting.py     the spans that are held back meanwhile
handing_on.py  the way of those that are kept
"""

from .processor import KeepSessions
from .sampler import SessionSampler

__all__ = ["KeepSessions", "SessionSampler"]
