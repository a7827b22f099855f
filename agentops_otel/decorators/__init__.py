"""Decorators: functions, coroutines, generators and async generators as sessions."""
