"""`python -m archbench` as a shell on a terminal starts it, and on a loaded machine: it waits for no calm block.

With `--scripted` before the command its workers are `scripted_worker.py`, which needs no torch.
"""

import runpy
import signal
import sys
from pathlib import Path

from archbench.measure.experiment import generation
from archbench.measure.supervisor import worker_process

SCRIPTED = "--scripted"


def main() -> None:
    """Hear every signal, though whoever started the tests may ignore some, and do what the command line says."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    generation.PATIENCE_S = 0.0  # where every block is disturbed, runs end all the same
    if sys.argv[1] == SCRIPTED:
        del sys.argv[1]
        worker_process.PROGRAM = (sys.executable, str(Path(__file__).with_name("scripted_worker.py")))
    runpy.run_module("archbench", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
