#!/usr/bin/env python3
"""Runs a command on a terminal of its own and plays the person who sits there.

    on_terminal.py [EXPECTED TYPED]... -- COMMAND...

Once EXPECTED was shown (after what was expected before), TYPED is typed; `signal:NAME` sends that signal to the command
instead. Standard output gets all that was shown; the exit code is the command's, 125 when EXPECTED was not shown.
"""
import os
import pty
import select
import signal
import sys
import time

PATIENCE = 100


def show_until(terminal, shown, start, expected):
    """What was shown, and where EXPECTED ends in it; None for that at the end of the command."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = shown.find(expected, start) if expected is not None else -1
        if found >= 0:
            return shown, found + len(expected)
        ready, _, _ = select.select([terminal], [], [], max(deadline - time.monotonic(), 0))
        try:
            got = os.read(terminal, 65536) if ready else b""
        except OSError:  # the last one let go of it
            got = b""
        if not got:
            return shown, None
        shown += got


def main():
    split = sys.argv.index("--")
    words, command = sys.argv[1:split], sys.argv[split + 1:]
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    shown, place = b"", 0
    for expected, typed in zip(words[::2], words[1::2]):
        shown, place = show_until(terminal, shown, place, expected.encode())
        if place is None:
            sys.stdout.buffer.write(shown + f"\n'{expected}' was not shown\n".encode())
            os.kill(child, signal.SIGKILL)
            sys.exit(125)
        if typed.startswith("signal:"):
            os.kill(child, getattr(signal, "SIG" + typed.removeprefix("signal:")))
        else:
            os.write(terminal, typed.encode())
    shown, _ = show_until(terminal, shown, place, None)
    sys.stdout.buffer.write(shown)
    sys.stdout.buffer.flush()
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)


if __name__ == "__main__":
    main()
