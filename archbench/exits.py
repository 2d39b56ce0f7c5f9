"""Every way a command ends: the codes it exits with, and the process around it: signals, streams, the last door for an error.

0  done                                         4  could not measure, or could not tell
1  some variants failed                        70  a bug of ours, its traceback in a file
2  the input is wrong                         130  interrupted, with everything finished on disk
3  a gate says no
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import click

from archbench.errors import ArchbenchError

DONE, FAILED, WRONG, GATE, UNTOLD, BUG, INTERRUPTED = 0, 1, 2, 3, 4, 70, 130
CODES = {
    **dict.fromkeys(("done", "equivalent", "improved"), DONE),
    "failed": FAILED,
    "inconclusive": UNTOLD,
    "regressed": GATE,
}


def code_of(word: str) -> int:
    """The exit code of a run or a comparison that came to this word. Another word is a bug of ours, and no success."""
    return CODES[word]


def exit_with_code(command: click.Command) -> NoReturn:
    """Run a command line as this process and exit with the code that says how it went."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _raise_interrupt)
    _open_streams()
    sys.exit(run_guarding_errors(command, sys.argv[1:], _own_command()))


def run_guarding_errors(
    command: click.Command, arguments: Sequence[str], program: Sequence[str] = ("archbench",)
) -> int:
    """One command line with every way it can end as an exit code and, where it went wrong, one line on stderr.

    `program` is how a shell calls us, for the line that says how to go on.
    """
    try:
        return int(command.main(list(arguments), prog_name="archbench", standalone_mode=False) or DONE)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return WRONG
    except ArchbenchError as error:
        click.echo(f"archbench: {error}" if not getattr(error, "place", "") else str(error), err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        announce(_how_to_go_on(arguments, program))
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return DONE
    except Exception as error:  # noqa: BLE001  (the last door: a bug of ours)
        click.echo(f"archbench: a bug of ours ({type(error).__name__}); its traceback is in {_write_log()}", err=True)
        return BUG


def _raise_interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def announce(text: str) -> None:
    """One line on stderr, past Python's buffers: a signal may have come in the middle of another line."""
    with contextlib.suppress(OSError):  # the terminal may be what is gone
        os.write(2, f"archbench: {text}\n".encode(errors="backslashreplace"))


def _how_to_go_on(arguments: Sequence[str], program: Sequence[str]) -> str:
    """The last line of an interrupted command: `run` goes on where it stopped, if it is not told to begin another."""
    if list(arguments[:1]) != ["run"]:
        return "interrupted"
    again = shlex.join([*program, *(argument for argument in arguments if argument != "--new")])
    return f"interrupted; what was finished is kept, go on with: {again}"


def _own_command() -> list[str]:
    """How this process was called: the module, the command on the PATH, or the command by its place."""
    if Path(sys.argv[0]).name == "__main__.py":
        return [sys.executable, "-m", "archbench"]
    return [Path(sys.argv[0]).name if shutil.which(Path(sys.argv[0]).name) == sys.argv[0] else sys.argv[0]]


def _open_streams() -> None:
    """Streams a caller closed lead nowhere: else the next file or socket opened would be taken for one of them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if number else "r"))  # noqa: SIM115  (for as long as we live)


def _silence_stdout() -> None:
    """Nobody reads it any more; closing it at the end must not say so again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def tolerate_closed_pipe() -> Iterator[None]:
    """Printing in this context may find its pipe closed, and the command still ends as it did."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()


def _write_log() -> str:
    """Write the traceback of the exception being handled to a file, and name it."""
    with tempfile.NamedTemporaryFile("w", prefix="archbench-", suffix=".log", delete=False) as file:
        file.write(traceback.format_exc())
        return file.name
