"""Strands, which writes its spans itself."""

from __future__ import annotations

from frameworks.harness import CANCELLED, Framework, Scenarios


class TestStrands(Scenarios):
    framework = Framework("strands", ways=("one_async",), sys_exit=(CANCELLED,))
