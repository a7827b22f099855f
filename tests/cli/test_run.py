"""`agentops-otel run`: as if the program had been started directly, but its sessions are kept."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support.otlp import Receiver
from support.programs import Outcome, Program
from support.programs import run as run_command

from agentops_otel.cli.environment import choose_exporters, name_service
from agentops_otel.cli.files import all_files
from agentops_otel.cli.read import read_sessions

AGENTOPS = [str(Path(sys.executable).with_name("agentops-otel"))]

SESSION = """
import os, signal, sys
from opentelemetry import trace
tracer = trace.get_tracer("test")
attributes = {"session.id": "id-" + sys.argv[1], "gen_ai.operation.name": "session"}
with tracer.start_as_current_span("session " + sys.argv[1], attributes=attributes) as root:
    with tracer.start_as_current_span("chat", attributes={"gen_ai.usage.input_tokens": 3}):
        print("out")
    root.set_attribute("agentops.session.end_state", "success")
    root.set_attribute("agentops.session.end_reason", "completed")
"""

COUNT_SIGNALS = """
import signal, sys, time
got = []
for name in sys.argv[1:]:
    signal.signal(getattr(signal, name), lambda number, frame: got.append(signal.Signals(number).name))
print("ready", flush=True)
deadline = time.monotonic() + 20
while not got and time.monotonic() < deadline:
    time.sleep(0.01)
time.sleep(0.5)  # A second one would be here by then.
print("got", *got, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def env(store: Path) -> dict[str, str]:
    return {"OTEL_PYTHON_AGENTOPS_STORE": str(store)}


@pytest.fixture
def session(tmp_path: Path) -> str:
    """A script that has a session named by its argument."""
    path = tmp_path / "agent.py"
    path.write_text(SESSION)
    return str(path)


def agentops(*words: str, env: Mapping[str, str], cwd: Path | None = None) -> Outcome:
    return run_command([*AGENTOPS, *words], env, cwd=cwd)


def trees(outcome: Outcome) -> list[str]:
    """What was printed at the end, without what changes with every run."""
    return [re.sub(r"[\d.]+ m?s", "TIME", text) for text in outcome.stderr.splitlines()]


# -- what is printed and stored -------------------------------------------------------------------------------


def test_the_sessions_are_printed_when_the_program_has_ended(session: str, env: dict[str, str]) -> None:
    outcome = agentops("run", session, "research", env=env)
    assert (outcome.returncode, outcome.stdout) == (0, "out\n")
    assert trees(outcome) == [
        "research  success  completed  TIME  id-research",
        "└── chat  TIME  3 in tokens",
    ]


def test_stored_sessions_are_listed_and_shown(session: str, env: dict[str, str], store: Path) -> None:
    for name in ("first", "second", "other"):
        assert agentops("run", session, name, env=env).stderr.count("\n") == 2

    lines = agentops("sessions", env=env).stdout.splitlines()
    assert [text.split()[:4] for text in lines[1:]] == [
        [f"id-{name}", name, "success", "completed"] for name in ("other", "second", "first")
    ]
    assert [text.split()[0] for text in agentops("sessions", "--limit", "1", env=env).stdout.splitlines()[1:]] == [
        "id-other"
    ]
    listed = json.loads(agentops("sessions", "--json", "--store", str(store), env={}).stdout)
    assert [entry["id"] for entry in listed] == ["id-other", "id-second", "id-first"]

    assert agentops("show", "id-second", env=env).stdout.splitlines()[0].endswith("id-second")
    assert agentops("show", "id-s", env=env).stdout.splitlines()[0].startswith("second  success  completed")
    shown = json.loads(agentops("show", "id-f", "--json", env=env).stdout)
    assert [span["name"] for span in shown["spans"]] == ["session first", "chat"]

    for wrong, message in (("id-", "3 ids: id-first, id-other, id-second"), ("nobody", "no session nobody")):
        outcome = agentops("show", wrong, env=env)
        assert (outcome.returncode, outcome.stdout) == (1, "")
        assert message in outcome.stderr


def test_an_empty_store(env: dict[str, str], store: Path) -> None:
    outcome = agentops("sessions", env=env)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout == f"No sessions in {store} yet: agentops-otel run PROGRAM stores some.\n"
    assert agentops("sessions", "--json", env=env).stdout == "[]\n"


def test_what_is_damaged_is_said(session: str, env: dict[str, str], store: Path) -> None:
    agentops("run", session, "one", env=env)
    (store / "foreign.jsonl").write_bytes(b"\x00\xff\n")
    for command in (["sessions"], ["show", "id-one"]):
        outcome = agentops(*command, env=env)
        assert (outcome.returncode, outcome.stderr) == (0, "1 damaged entry skipped.\n")


def test_options_of_run(session: str, env: dict[str, str], tmp_path: Path) -> None:
    other = tmp_path / "other"
    outcome = agentops("run", "--quiet", f"--store={other}", session, "one", env=env)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "out\n", "")
    assert len(all_files(other)) == 1
    assert "id-one" in agentops("sessions", "--store", str(other), env=env).stdout


def test_a_program_without_sessions(env: dict[str, str]) -> None:
    assert agentops("run", "-c", "pass", env=env).stderr == "No session was recorded.\n"


def test_of_many_sessions_the_last_are_printed(env: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "many.py"
    loop = "    tracer.start_span(f'session {number}', attributes={'gen_ai.operation.name': 'session'}).end()"
    script.write_text(f"{SESSION}\nfor number in range(110):\n{loop}")
    first, *printed = agentops("run", str(script), "first", env=env).stderr.splitlines()
    assert first == "The last 100 of 111 sessions:"
    assert [text.split()[0] for text in printed] == [str(number) for number in range(10, 110)]


def test_the_exit_does_not_wait_for_too_much_to_print(env: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "much.py"
    script.write_text(SESSION.replace('"chat"', '"x" * 70_000_000'))
    outcome = agentops("run", str(script), "much", env=env)
    assert re.fullmatch(r"66 MiB of sessions are stored in .*: agentops-otel sessions\n", outcome.stderr)


def test_a_forked_child_is_part_of_the_run(env: dict[str, str], store: Path, tmp_path: Path) -> None:
    script = tmp_path / "fork.py"
    script.write_text("import os, sys\nsys.argv.append('child' if os.fork() == 0 else 'parent')\n" + SESSION)
    script.write_text(script.read_text() + "if sys.argv[1] == 'parent': os.wait()\n")
    outcome = agentops("run", str(script), env=env)
    assert outcome.returncode == 0
    assert sorted(text.split()[0] for text in outcome.stderr.splitlines() if "id-" in text) == ["child", "parent"]
    assert len(all_files(store)) == 2


def test_a_run_inside_a_run(session: str, env: dict[str, str], store: Path) -> None:
    """Each prints its own sessions, and the inner one passes signals on although its parent is instrumented."""
    inner = [*AGENTOPS, "run", "-c", COUNT_SIGNALS.replace('"ready"', "__import__('os').getppid()"), "SIGTERM"]
    program = f"""
import subprocess, sys
sys.argv = ["", "outer"]
{SESSION}
print(subprocess.run({[*AGENTOPS, "run", session, "inner"]!r}, stderr=subprocess.STDOUT, text=True).returncode)
process = subprocess.Popen({inner!r}, stdout=subprocess.PIPE, text=True)
os.kill(int(process.stdout.readline()), signal.SIGTERM)
print(process.communicate()[0])
"""
    outcome = agentops("run", "-c", program, env=env)
    assert outcome.returncode == 0
    assert "inner  success  completed" in outcome.stdout
    assert "got SIGTERM\n" in outcome.stdout
    assert [text.split()[0] for text in outcome.stderr.splitlines() if "id-" in text] == ["outer"]
    assert sorted(found.name for found in read_sessions(all_files(store)).sessions) == ["inner", "outer"]


# -- where it is exported -------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_with_an_endpoint_it_is_exported_there(
    session: str, env: dict[str, str], store: Path, receiver: Receiver, protocol: str
) -> None:
    if protocol == "grpc":
        env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.grpc_endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    else:
        env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_endpoint}
    outcome = agentops("run", session, "one", env=env)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "out\n", "")
    assert sorted(span.name for span in receiver.spans) == ["chat", "session one"]
    assert {span.resource["service.name"] for span in receiver.spans} == {"agent"}
    assert not store.exists()


def test_a_traces_endpoint_is_for_traces_only(session: str, env: dict[str, str], receiver: Receiver) -> None:
    env |= {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.http_endpoint}/v1/traces"}
    outcome = agentops("run", session, "one", env=env)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert len(receiver.spans) == 2


def test_an_exporter_that_was_chosen_is_used(session: str, env: dict[str, str], store: Path) -> None:
    outcome = agentops("run", session, "one", env=env | {"OTEL_TRACES_EXPORTER": "console"})
    assert outcome.stdout.count('"trace_id"') == 2
    assert not store.exists()


HTTP, GRPC = "http/protobuf", "grpc"


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        pytest.param(
            {},
            {"TRACES_EXPORTER": "agentops_local", "LOGS_EXPORTER": "none", "METRICS_EXPORTER": "none"},
            id="nothing",
        ),
        pytest.param(
            {"EXPORTER_OTLP_ENDPOINT": "", "TRACES_EXPORTER": "", "LOGS_EXPORTER": "console"},
            {"TRACES_EXPORTER": "agentops_local", "LOGS_EXPORTER": "console", "METRICS_EXPORTER": "none"},
            id="empty",
        ),
        pytest.param(
            {"EXPORTER_OTLP_ENDPOINT": "http://h:4318"},
            {f"{signal}_EXPORTER": "otlp" for signal in ("TRACES", "LOGS", "METRICS")}
            | {f"EXPORTER_OTLP_{signal}_PROTOCOL": HTTP for signal in ("TRACES", "LOGS", "METRICS")},
            id="http",
        ),
        pytest.param(
            {"EXPORTER_OTLP_ENDPOINT": "http://h:4317/", "METRICS_EXPORTER": "none"},
            {"TRACES_EXPORTER": "otlp", "LOGS_EXPORTER": "otlp", "METRICS_EXPORTER": "none"}
            | {f"EXPORTER_OTLP_{signal}_PROTOCOL": GRPC for signal in ("TRACES", "LOGS")},
            id="grpc port",
        ),
        pytest.param(
            {"EXPORTER_OTLP_ENDPOINT": "http://h:4317", "EXPORTER_OTLP_LOGS_ENDPOINT": "http://h:4318/v1/logs"},
            {f"{signal}_EXPORTER": "otlp" for signal in ("TRACES", "LOGS", "METRICS")}
            | {f"EXPORTER_OTLP_{signal}_PROTOCOL": GRPC for signal in ("TRACES", "METRICS")}
            | {"EXPORTER_OTLP_LOGS_PROTOCOL": HTTP},
            id="one signal elsewhere",
        ),
        pytest.param(
            {"EXPORTER_OTLP_ENDPOINT": "http://h:4317", "EXPORTER_OTLP_PROTOCOL": HTTP},
            {f"{signal}_EXPORTER": "otlp" for signal in ("TRACES", "LOGS", "METRICS")},
            id="protocol",
        ),
        pytest.param(
            {"EXPORTER_OTLP_TRACES_ENDPOINT": "http://h:9", "EXPORTER_OTLP_TRACES_PROTOCOL": GRPC},
            {"TRACES_EXPORTER": "otlp", "LOGS_EXPORTER": "none", "METRICS_EXPORTER": "none"},
            id="traces only",
        ),
        pytest.param(
            {"TRACES_EXPORTER": "console, agentops_local"},
            {"LOGS_EXPORTER": "none", "METRICS_EXPORTER": "none"},
            id="both",
        ),
        pytest.param({"CONFIG_FILE": "otel.yaml"}, {}, id="configuration file"),
    ],
)
def test_the_choice_of_exporters(given: dict[str, str], chosen: dict[str, str]) -> None:
    environment = {f"OTEL_{name}": value for name, value in given.items()}
    local = choose_exporters(environment)
    assert environment == {f"OTEL_{name}": value for name, value in (given | chosen).items()}
    assert local == ("agentops_local" in environment.get("OTEL_TRACES_EXPORTER", ""))


@pytest.mark.parametrize(
    ("given", "chosen", "program", "name"),
    [
        ({}, None, "agent", "agent"),
        ({}, "mine", "agent", "mine"),
        ({}, None, None, None),
        ({"OTEL_SERVICE_NAME": "theirs"}, None, "agent", "theirs"),
        ({"OTEL_SERVICE_NAME": "theirs"}, "mine", "agent", "mine"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=theirs"}, None, "agent", None),
    ],
)
def test_the_name_of_the_service(
    given: dict[str, str], chosen: str | None, program: str | None, name: str | None
) -> None:
    environment = dict(given)
    name_service(environment, chosen, program)
    assert environment.get("OTEL_SERVICE_NAME") == name


# -- what is started ------------------------------------------------------------------------------------------

ARGUMENTS = "import sys; print(sys.argv[1:])"


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--quiet", "-c", "x"], ["--"], ["--", "-m", "x", "--"], ["-m"], [""], ["--store=x", "--version"]],
)
def test_arguments_are_the_programs_own(arguments: list[str], env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(ARGUMENTS)
    outcome = agentops("run", "--quiet", "program.py", *arguments, env=env, cwd=tmp_path)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, f"{arguments}\n", "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-c", ARGUMENTS, "--help", "-m"], "['--help', '-m']\n"),
        ([f"-c{ARGUMENTS}", "--help"], "['--help']\n"),
        (["-m", "program", "--help", "--"], "['--help', '--']\n"),
        (["-mprogram", "--quiet"], "['--quiet']\n"),
        (["--", sys.executable, "-c", ARGUMENTS, "--", "-m"], "['--', '-m']\n"),
        (["--", "echo", "--", "-m"], "-- -m\n"),
    ],
)
def test_modules_code_and_commands(words: list[str], expected: str, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(ARGUMENTS)
    # The tests run with PYTHONSAFEPATH, which keeps `-m` from looking into the working directory.
    outcome = agentops("run", "--quiet", *words, env=env | {"PYTHONSAFEPATH": ""}, cwd=tmp_path)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, expected, "")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["nobody.py"], 127, "nobody.py: no such script"),
        (["--", "nobody-knows-this"], 127, "nobody-knows-this: No such file or directory"),
        (["--", "/etc/passwd"], 126, "/etc/passwd: Permission denied"),
        (["--", "/"], 126, "/: Permission denied"),
        ([], 2, "Missing argument 'PROGRAM"),
        (["--"], 2, "no command after --"),
        (["--quite", "x.py"], 2, "--quite"),
        (["--store"], 2, "--store"),
        (["-u", "x.py"], 2, "-u"),
    ],
)
def test_what_cannot_be_started(words: list[str], status: int, message: str, env: dict[str, str]) -> None:
    outcome = agentops("run", *words, env=env)
    assert (outcome.returncode, outcome.stdout) == (status, "")
    assert message in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("safe", ["", "1"])
def test_modules_are_found_where_python_finds_them(safe: str, env: dict[str, str], tmp_path: Path) -> None:
    """Neither the path of the user nor the first entry of sys.path changes."""
    scripts, cwd, library = (tmp_path / name for name in ("scripts", "cwd", "library"))
    for directory in (scripts, cwd, library):
        directory.mkdir()
    code = "import os, sys; print(os.environ.get('PYTHONPATH', '').split(os.pathsep)); print(sys.path)"
    (scripts / "script.py").write_text(code)
    (cwd / "module.py").write_text(code)
    env |= {"PYTHONSAFEPATH": safe, "PYTHONPATH": f"{library}{os.pathsep}"}
    for words in (["../scripts/script.py"], ["-c", code], *([] if safe else [["-m", "module"]])):
        plain = run_command([sys.executable, *words], env, cwd=cwd).stdout.splitlines()
        watched = agentops("run", "--quiet", *words, env=env, cwd=cwd).stdout.splitlines()
        for before, after in zip(map(_list, plain), map(_list, watched), strict=True):
            added = [path for path in after if path.endswith("auto_instrumentation")]
            assert len(added) == 1
            assert [path for path in after if path not in added] == before


def _list(text: str) -> list[str]:
    paths: list[str] = json.loads(text.replace("'", '"'))
    return paths


@pytest.mark.parametrize(("safe", "found"), [("", True), ("1", False)])
def test_a_command_finds_modules_in_the_working_directory(
    safe: str, found: bool, env: dict[str, str], tmp_path: Path
) -> None:
    """As with opentelemetry-instrument, for programs that have an executable of their own."""
    (tmp_path / "local_module.py").touch()
    (tmp_path / "bin").mkdir()
    executable = tmp_path / "bin" / "program"
    executable.write_text(f"#!{sys.executable}\nimport local_module")
    executable.chmod(0o755)
    path = f"{executable.parent}{os.pathsep}{os.environ['PATH']}"
    outcome = agentops("run", "--", "program", env=env | {"PYTHONSAFEPATH": safe, "PATH": path}, cwd=tmp_path)
    assert (outcome.returncode == 0) == found


# -- how it ends ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "returncode"),
    [
        ("", 0),
        ("raise SystemExit(3)", 3),
        ("raise ValueError('x')", 1),
        ("import os; os._exit(255)", 255),
        *((f"import os; os.kill(os.getpid(), {number:d})", -number) for number in (2, 3, 6, 9, 11, 15, 34)),
        # Under nohup it is ignored from the start.
        ("import os, signal; signal.signal(1, signal.SIG_DFL); os.kill(os.getpid(), 1)", -1),
    ],
)
def test_it_ends_as_the_program_ended(code: str, returncode: int, env: dict[str, str]) -> None:
    outcome = agentops("run", "-c", f"import resource; resource.setrlimit(4, (0, 0)); {code}", env=env)
    assert outcome.returncode == returncode
    assert outcome.stderr.endswith("No session was recorded.\n")


def test_sessions_of_a_killed_program_are_printed(env: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(f"{SESSION}\ntrace.get_tracer_provider().force_flush()\nos.kill(os.getpid(), signal.SIGKILL)")
    outcome = agentops("run", str(script), "one", env=env)
    assert outcome.returncode == -signal.SIGKILL
    assert trees(outcome)[0] == "one  success  completed  TIME  id-one"


def test_a_store_that_cannot_be_written_does_not_change_the_program(session: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = agentops("run", session, "one", env={"OTEL_PYTHON_AGENTOPS_STORE": str(tmp_path / "file" / "store")})
    assert (outcome.returncode, outcome.stdout) == (0, "out\n")
    assert "sessions cannot be stored" in outcome.stderr


@pytest.mark.parametrize("closed", ["nobody reads it", "not open"])
def test_a_closed_stderr_does_not_change_how_it_ends(closed: str, session: str, env: dict[str, str]) -> None:
    words = [*AGENTOPS, "run", session, "one"]
    if closed == "not open":
        words = ["sh", "-c", 'exec "$@" 2>&-', "sh", *words]
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(words, env=_environment(env), stdout=subprocess.PIPE, stderr=writing, check=False)
    os.close(writing)
    assert (process.returncode, process.stdout) == (0, b"out\n")


# -- streams and signals --------------------------------------------------------------------------------------


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONSAFEPATH": "1", **env}


def test_stdin_is_the_programs(env: dict[str, str]) -> None:
    code = "import sys; print(sys.stdin.read().upper())"
    for words in (["-c", code], ["--", sys.executable, "-c", code]):
        process = subprocess.run(
            [*AGENTOPS, "run", *words], input=b"hello", env=_environment(env), capture_output=True, check=True
        )
        assert process.stdout == b"HELLO\n"
    process = subprocess.run(
        [*AGENTOPS, "run", "-"], input=b"print(__name__)", env=_environment(env), capture_output=True, check=True
    )
    assert process.stdout == b"__main__\n"


def test_other_descriptors_are_inherited(env: dict[str, str], tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        words = [*AGENTOPS, "run", "-c", f"import os; os.write({file.fileno()}, b'hello')"]
        subprocess.run(words, env=_environment(env), pass_fds=[file.fileno()], check=True)
    assert (tmp_path / "file").read_text() == "hello"


@pytest.mark.parametrize(
    "name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGWINCH"]
)
def test_a_signal_reaches_the_program_once(name: str, env: dict[str, str]) -> None:
    with Program.start([*AGENTOPS, "run", "-c", COUNT_SIGNALS, name], env=env) as program:
        program.wait_for_line("ready")
        program.send(getattr(signal, name))
        assert program.wait().stdout == f"ready\ngot {name}\n"


def test_a_signal_that_ends_the_program(env: dict[str, str]) -> None:
    code = "import time; print('ready'); time.sleep(20)"
    with Program.start([*AGENTOPS, "run", "-c", code], env=env) as program:
        program.wait_for_line("ready")
        program.send(signal.SIGTERM)
        assert program.wait().returncode == -signal.SIGTERM


def test_a_signal_that_the_program_sends_to_its_group_is_not_sent_back(env: dict[str, str]) -> None:
    code = COUNT_SIGNALS.replace('print("ready", flush=True)', "import os; os.kill(0, signal.SIGUSR1)")
    assert agentops("run", "-c", code, "SIGUSR1", env=env).stdout == "got SIGUSR1\n"


def test_signal_dispositions_and_mask_are_those_of_a_direct_start(env: dict[str, str]) -> None:
    command = ["cat", "/proc/self/status"]
    for prefix in ([], ["nohup"], ["env", "--ignore-signal=INT", "--block-signal=USR1"]):
        direct = run_command([*prefix, *command], env).stdout
        watched = run_command([*prefix, *AGENTOPS, "run", "--", *command], env).stdout
        assert _signals(direct) == _signals(watched)


def _signals(status: str) -> list[int]:
    """Which signals are blocked, ignored, and handled. 32 and 33 are of the C library, which uses them itself."""
    masks = [int(mask, 16) for mask in re.findall(r"^Sig(?:Blk|Ign|Cgt):\s*(\w+)$", status, re.MULTILINE)]
    assert len(masks) == 3
    return [mask & ~(0b11 << 31) for mask in masks]


class Terminal:
    """A program whose controlling terminal we hold the other end of."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str]) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            words,
            env=_environment(env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.output = ""

    def read_until(self, text: str, timeout: float = 30) -> str:
        deadline = time.monotonic() + timeout
        while text not in self.output:
            ready, _, _ = select.select([self.master], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no {text!r} in {self.output!r}"
            try:
                self.output += os.read(self.master, 4096).decode().replace("\r\n", "\n")
            except OSError:  # How Linux says that nobody has the terminal open any more.
                assert text in self.output, self.output
        return self.output


@contextmanager
def terminal(words: Sequence[str], env: Mapping[str, str]) -> Iterator[Terminal]:
    opened = Terminal(words, env)
    try:
        yield opened
    finally:
        with suppress(ProcessLookupError):
            os.killpg(opened.process.pid, signal.SIGKILL)
        opened.process.wait()
        with suppress(OSError):
            os.close(opened.master)


@pytest.mark.parametrize(("key", "name"), [(b"\x03", "SIGINT"), (b"\x1c", "SIGQUIT")])
def test_a_key_of_the_terminal_reaches_the_program_once(key: bytes, name: str, env: dict[str, str]) -> None:
    with terminal([*AGENTOPS, "run", "-c", COUNT_SIGNALS, name], env) as console:
        console.read_until("ready\n")
        os.write(console.master, key)
        assert f"got {name}\n" in console.read_until("recorded.\n")
        assert console.process.wait(10) == 0


def test_ctrl_c_ends_a_program_and_its_supervisor(env: dict[str, str]) -> None:
    code = "import time; print('ready', flush=True); time.sleep(20)"
    with terminal([*AGENTOPS, "run", "-c", code], env) as console:
        console.read_until("ready\n")
        os.write(console.master, b"\x03")
        assert console.read_until("recorded.\n").count("KeyboardInterrupt") == 1
        assert console.process.wait(10) == -signal.SIGINT


def test_sigint_for_the_supervisor_alone_in_a_terminal(env: dict[str, str]) -> None:
    with terminal([*AGENTOPS, "run", "-c", COUNT_SIGNALS, "SIGINT"], env) as console:
        console.read_until("ready\n")
        os.kill(console.process.pid, signal.SIGINT)
        assert "got SIGINT\n" in console.read_until("recorded.\n")


def test_a_hang_up_reaches_the_program_once(env: dict[str, str], tmp_path: Path) -> None:
    """The kernel tells only the process whose terminal it is, and that is the supervisor here."""
    result = tmp_path / "result"
    code = COUNT_SIGNALS.replace('print("got", *got, flush=True)', f"open({str(result)!r}, 'w').write(str(got))")
    with terminal([*AGENTOPS, "run", "-c", code, "SIGHUP"], env) as console:
        console.read_until("ready\n")
        os.close(console.master)
        assert console.process.wait(20) == 0
    assert result.read_text() == "['SIGHUP']"


def test_job_control(env: dict[str, str]) -> None:
    """Ctrl-Z stops both, and both go on."""
    code = "print('ready', flush=True); input(); print('went on', flush=True)"
    # A shell in between, because a session leader that is alone in its group is never stopped by the terminal.
    script = '"$@"; echo stopped; fg'
    with terminal(["bash", "-ic", script, "bash", *AGENTOPS, "run", "-c", code], env) as console:
        console.read_until("ready\n")
        os.write(console.master, b"\x1a")
        console.read_until("stopped\n")
        os.write(console.master, b"\n")
        console.read_until("went on\n")
        assert console.process.wait(10) == 0


def test_where_the_sender_of_a_signal_is_not_known(env: dict[str, str]) -> None:
    """Without siginfo (macOS), Ctrl-C is told by the terminal being ours."""
    supervisor = """
import os, sys
from agentops_otel.cli.supervise import end_like, supervise
sys.platform = "darwin"
end_like(supervise([sys.executable, *sys.argv[1:]], os.environ))
"""
    words = [sys.executable, "-c", supervisor]
    with terminal([*words, "-c", COUNT_SIGNALS, "SIGINT"], env) as console:
        console.read_until("ready\n")
        os.write(console.master, b"\x03")
        assert console.read_until("got").endswith("got SIGINT\n")
        assert console.process.wait(10) == 0
    for name in ("SIGINT", "SIGTERM"):
        with Program.start([*words, "-c", COUNT_SIGNALS, name], env=env) as program:
            program.wait_for_line("ready")
            program.send(getattr(signal, name))
            assert program.wait().stdout == f"ready\ngot {name}\n"


# -- the command itself ---------------------------------------------------------------------------------------


def test_the_command_is_a_module_too() -> None:
    for words in (["--version"], ["run", "--help"]):
        outcome = run_command(["-m", "agentops_otel.cli", *words])
        assert outcome == agentops(*words, env={})
        assert outcome.stdout.partition("agentops-otel")[1]


@pytest.mark.parametrize("missing", ["click", "rich", "platformdirs", "opentelemetry.proto_json"])
def test_a_missing_extra_is_named(missing: str, env: dict[str, str]) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from agentops_otel.cli import main; main()"
    outcome = run_command(["-c", code, "sessions"], env)
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert outcome.stderr == ("agentops-otel needs its command-line extra: pip install 'agentops-otel-sessions[cli]'\n")
