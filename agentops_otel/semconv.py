"""Every name this package writes, and the old ones it reads.

Names that OpenTelemetry has are taken from `opentelemetry.semconv`; those it has no constant for yet stand here
as literals (a test pins them), and ours begin with ``agentops.``.
"""

from typing import Final

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as _gen_ai
from opentelemetry.semconv._incubating.attributes import session_attributes as _session
from opentelemetry.semconv._incubating.attributes import user_attributes as _user
from opentelemetry.semconv.attributes import code_attributes as _code
from opentelemetry.semconv.attributes import error_attributes as _error
from opentelemetry.semconv.attributes import exception_attributes as _exception

SCOPE: Final = "agentops_otel"
"""Name of the instrumentation scope of everything written here."""

# -- from the OpenTelemetry semantic conventions --------------------------------------------------------------

SESSION_ID: Final = _session.SESSION_ID
SESSION_PREVIOUS_ID: Final = _session.SESSION_PREVIOUS_ID
USER_ID: Final = _user.USER_ID
GEN_AI_CONVERSATION_ID: Final = _gen_ai.GEN_AI_CONVERSATION_ID
GEN_AI_OPERATION_NAME: Final = _gen_ai.GEN_AI_OPERATION_NAME
GEN_AI_USAGE_INPUT_TOKENS: Final = _gen_ai.GEN_AI_USAGE_INPUT_TOKENS
GEN_AI_USAGE_OUTPUT_TOKENS: Final = _gen_ai.GEN_AI_USAGE_OUTPUT_TOKENS
CODE_FILE_PATH: Final = _code.CODE_FILE_PATH
CODE_LINE_NUMBER: Final = _code.CODE_LINE_NUMBER
CODE_FUNCTION_NAME: Final = _code.CODE_FUNCTION_NAME
ERROR_TYPE: Final = _error.ERROR_TYPE
EXCEPTION_TYPE: Final = _exception.EXCEPTION_TYPE
EXCEPTION_MESSAGE: Final = _exception.EXCEPTION_MESSAGE
EXCEPTION_STACKTRACE: Final = _exception.EXCEPTION_STACKTRACE

ERROR_TYPE_OTHER: Final = _error.ErrorTypeValues.OTHER.value
"""``error.type`` where no better word is known."""

# Operation names of the GenAI conventions. Their enum class warns that it has moved, so they stand as literals.
INFERENCE_OPERATIONS: Final = frozenset({"chat", "generate_content", "text_completion"})
TOOL_OPERATION: Final = "execute_tool"
AGENT_OPERATION: Final = "invoke_agent"

# Events of the session conventions have no constant in the Python package yet.
EVENT_SESSION_START: Final = "session.start"
EVENT_SESSION_END: Final = "session.end"
EVENT_EXCEPTION: Final = "exception"

# -- ours -----------------------------------------------------------------------------------------------------

SESSION_OPERATION: Final = "session"
"""``gen_ai.operation.name`` of a session's root span, and the first word of its name."""

TAGS: Final = "agentops.tags"
END_STATE: Final = "agentops.session.end_state"
END_REASON: Final = "agentops.session.end_reason"
EXIT_SIGNAL: Final = "agentops.session.exit.signal"
DURATION: Final = "agentops.session.duration"
"""Length of the session in seconds, on the ``session.end`` event (the root span has its own times)."""

INFERENCE_CALLS: Final = "agentops.session.inference.calls"
TOOL_CALLS: Final = "agentops.session.tool.calls"
AGENT_CALLS: Final = "agentops.session.agent.calls"
ERRORS: Final = "agentops.session.errors"
USAGE_INPUT_TOKENS: Final = "agentops.session.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "agentops.session.usage.output_tokens"

# -- names of older conventions: read, never written ----------------------------------------------------------

OLD_INPUT_TOKENS: Final = ("gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
OLD_OUTPUT_TOKENS: Final = ("gen_ai.usage.completion_tokens", "llm.token_count.completion")
OPENINFERENCE_KIND: Final = "openinference.span.kind"
