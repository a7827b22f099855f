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
GEN_AI_PROVIDER_NAME: Final = _gen_ai.GEN_AI_PROVIDER_NAME
GEN_AI_REQUEST_MODEL: Final = _gen_ai.GEN_AI_REQUEST_MODEL
GEN_AI_RESPONSE_MODEL: Final = _gen_ai.GEN_AI_RESPONSE_MODEL
GEN_AI_USAGE_INPUT_TOKENS: Final = _gen_ai.GEN_AI_USAGE_INPUT_TOKENS
GEN_AI_USAGE_OUTPUT_TOKENS: Final = _gen_ai.GEN_AI_USAGE_OUTPUT_TOKENS
GEN_AI_AGENT_NAME: Final = _gen_ai.GEN_AI_AGENT_NAME
GEN_AI_TOOL_NAME: Final = _gen_ai.GEN_AI_TOOL_NAME
GEN_AI_TOOL_TYPE: Final = _gen_ai.GEN_AI_TOOL_TYPE
GEN_AI_TOOL_CALL_ARGUMENTS: Final = _gen_ai.GEN_AI_TOOL_CALL_ARGUMENTS
GEN_AI_TOOL_CALL_RESULT: Final = _gen_ai.GEN_AI_TOOL_CALL_RESULT
GEN_AI_TOOL_CALL_ID: Final = _gen_ai.GEN_AI_TOOL_CALL_ID
GEN_AI_EVALUATION_NAME: Final = _gen_ai.GEN_AI_EVALUATION_NAME
GEN_AI_EVALUATION_SCORE_VALUE: Final = _gen_ai.GEN_AI_EVALUATION_SCORE_VALUE
GEN_AI_EVALUATION_SCORE_LABEL: Final = _gen_ai.GEN_AI_EVALUATION_SCORE_LABEL
GEN_AI_EVALUATION_EXPLANATION: Final = _gen_ai.GEN_AI_EVALUATION_EXPLANATION
CODE_FILE_PATH: Final = _code.CODE_FILE_PATH
CODE_LINE_NUMBER: Final = _code.CODE_LINE_NUMBER
CODE_FUNCTION_NAME: Final = _code.CODE_FUNCTION_NAME
ERROR_TYPE: Final = _error.ERROR_TYPE
EXCEPTION_TYPE: Final = _exception.EXCEPTION_TYPE
EXCEPTION_MESSAGE: Final = _exception.EXCEPTION_MESSAGE
EXCEPTION_STACKTRACE: Final = _exception.EXCEPTION_STACKTRACE

ERROR_TYPE_OTHER: Final = _error.ErrorTypeValues.OTHER.value
"""``error.type`` where no better word is known."""

# Of the GenAI conventions too, but younger than the oldest release of the constants that is supported.
GEN_AI_AGENT_VERSION: Final = "gen_ai.agent.version"
GEN_AI_WORKFLOW_NAME: Final = "gen_ai.workflow.name"
GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"

# Operation names of the GenAI conventions. Their enum class warns that it has moved, so they stand as literals.
INFERENCE_OPERATIONS: Final = frozenset({"chat", "generate_content", "text_completion"})
EMBEDDING_OPERATION: Final = "embeddings"
TOOL_OPERATION: Final = "execute_tool"
AGENT_OPERATION: Final = "invoke_agent"
WORKFLOW_OPERATION: Final = "invoke_workflow"
TOOL_TYPE_FUNCTION: Final = "function"
"""``gen_ai.tool.type`` of a tool that runs in this program."""

# Events of the session conventions have no constant in the Python package yet.
EVENT_SESSION_START: Final = "session.start"
EVENT_SESSION_END: Final = "session.end"
EVENT_EXCEPTION: Final = "exception"
EVENT_EVALUATION_RESULT: Final = "gen_ai.evaluation.result"

# -- ours -----------------------------------------------------------------------------------------------------

SESSION_OPERATION: Final = "session"
"""``gen_ai.operation.name`` of a session's root span, and the first word of its name."""

TAGS: Final = "agentops.tags"
END_STATE: Final = "agentops.session.end_state"
END_REASON: Final = "agentops.session.end_reason"
EXIT_SIGNAL: Final = "agentops.session.exit.signal"
EXIT_CODE: Final = "agentops.session.exit.code"
"""Exit status of a process that died with the session open, where `agentops-otel run` saw it."""
DURATION: Final = "agentops.session.duration"
"""Length of the session in seconds, on the ``session.end`` event (the root span has its own times)."""

INFERENCE_CALLS: Final = "agentops.session.inference.calls"
TOOL_CALLS: Final = "agentops.session.tool.calls"
AGENT_CALLS: Final = "agentops.session.agent.calls"
ERRORS: Final = "agentops.session.errors"
USAGE_INPUT_TOKENS: Final = "agentops.session.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "agentops.session.usage.output_tokens"
EMBEDDING_CALLS: Final = "agentops.session.embedding.calls"
USAGE_CACHE_READ_INPUT_TOKENS: Final = "agentops.session.usage.cache_read.input_tokens"
"""Input tokens that a cache answered for; a part of the input tokens, as in the GenAI conventions."""
USAGE_CACHE_CREATION_INPUT_TOKENS: Final = "agentops.session.usage.cache_creation.input_tokens"
USAGE_REASONING_OUTPUT_TOKENS: Final = "agentops.session.usage.reasoning.output_tokens"
"""Output tokens spent on reasoning; a part of the output tokens."""
COST: Final = "agentops.session.cost"
"""US dollars; the sum over the calls whose price is known."""
UNPRICED_CALLS: Final = "agentops.session.unpriced_calls"
"""Calls that name a model and are not in the cost: it has no known price, or the call did not say its tokens."""

# The same by model: arrays of one length, the first of them the names of the models.
MODELS: Final = "agentops.session.models"
MODEL_CALLS: Final = "agentops.session.models.calls"
MODEL_INPUT_TOKENS: Final = "agentops.session.models.usage.input_tokens"
MODEL_OUTPUT_TOKENS: Final = "agentops.session.models.usage.output_tokens"
MODEL_COSTS: Final = "agentops.session.models.cost"
"""Not there, or empty, where the price of one of the models is not known."""
MODEL_OTHER: Final = "_OTHER"
"""Stands for the models beyond those that are listed."""

SPAN_KIND: Final = "agentops.span.kind"
"""What a decorated function is, where the GenAI conventions have no operation for it: ``task`` or ``guardrail``."""
INPUT: Final = "agentops.input"
"""Arguments of a decorated function that is no tool, as JSON; only where the user wants content."""
OUTPUT: Final = "agentops.output"
EVENT_OPERATION_DETAILS: Final = "agentops.operation.details"
"""Log event with the content of a decorated function's call, where the user wants content on events."""

METRIC_ACTIVE: Final = "agentops.session.active"
METRIC_DURATION: Final = "agentops.session.duration"
METRIC_ENDED: Final = "agentops.session.ended"
METRIC_LOST: Final = "agentops.spans.lost"
LOST_REASON: Final = "agentops.lost.reason"
"""Why spans never arrive, on that metric: ``queue_full``, ``refused``, ``not_exported`` or ``journal_full``."""

# -- names of older conventions: read, never written ----------------------------------------------------------

OLD_INPUT_TOKENS: Final = ("gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
OLD_OUTPUT_TOKENS: Final = ("gen_ai.usage.completion_tokens", "llm.token_count.completion")
OLD_CACHE_READ_INPUT_TOKENS: Final = ("llm.token_count.prompt_details.cache_read",)
OLD_CACHE_CREATION_INPUT_TOKENS: Final = (
    "gen_ai.usage.cache_write.input_tokens",  # not old, but newer; instrumentations write one or the other
    "llm.token_count.prompt_details.cache_write",
)
OLD_REASONING_OUTPUT_TOKENS: Final = (
    "gen_ai.usage.details.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
)
OLD_MODEL: Final = ("llm.model_name", "embedding.model_name")
OLD_PROVIDER: Final = ("gen_ai.system", "llm.provider", "llm.system")
OPENINFERENCE_KIND: Final = "openinference.span.kind"
