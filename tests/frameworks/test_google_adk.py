"""Google's Agent Development Kit, which writes its spans itself."""

from __future__ import annotations

from frameworks.harness import CANCELLED, Framework, Scenarios


class TestGoogleADK(Scenarios):
    framework = Framework("google-adk", ways=("one_sync",), sys_exit=(CANCELLED,))


class TestItsOldSpans(Scenarios):
    """As it wrote them before it followed the conventions, and still does where it is told to."""

    framework = Framework(
        "google-adk",
        ways=("one_sync",),
        sys_exit=(CANCELLED,),
        env={"ADK_TELEMETRY_SCHEMA_VERSION_OPT_IN": "1"},
    )
