"""What the tests run against: an OTLP receiver, child processes, collectors."""
