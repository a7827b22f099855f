"""What cannot be pickled is given to processes in a session, which stays here or goes along; prints what that says."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import _setup  # noqa: F401

import agentops_otel as ao


def says(call: Callable[[], object]) -> str:
    try:
        call()
    except (AttributeError, TypeError, ValueError, OSError, multiprocessing.ProcessError) as error:
        return f"{type(error).__name__}: {str(error)[:24]}"
    return "nothing"


def main() -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as executor, spawn.Pool(1) as pool:
        for propagation in (False, True):
            ao.configure(propagation=propagation)
            with ao.session("agent", id=f"s-{propagation}"):
                print(says(executor.submit(lambda: None).result))
                print(says(executor.submit(len, lambda: None).result))  # type: ignore[arg-type]
                print(says(lambda: pool.apply(lambda: None)))
                print(says(lambda: pool.map(lambda item: item, [1])))
                print(says(spawn.Process(target=lambda: None).start))
                print(says(executor.submit(len, 1).result))  # type: ignore[arg-type]
                print(says(lambda: pool.apply(None)))  # type: ignore[arg-type]
                print(says(lambda: pool.apply_async()))  # type: ignore[call-arg]
                assert executor.submit(len, "12").result() == pool.apply(len, ("12",)) == 2


if __name__ == "__main__":
    main()
