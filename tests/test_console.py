import io
import os
import re
import sys
import threading
from types import SimpleNamespace

import pytest
from tqdm import tqdm

from seqtrain import console
from seqtrain.errors import DataError


class Terminal(io.StringIO):
    """Says when something is written to it."""

    def __init__(self):
        super().__init__()
        self.written = threading.Event()

    def write(self, text):
        self.written.set()
        return super().write(text)

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    stderr = Terminal()
    # pytest takes `sys.stderr` itself back before the test
    monkeypatch.setattr(console, "sys", SimpleNamespace(stderr=stderr, modules=sys.modules))
    monkeypatch.setenv("TERM", "xterm")
    return stderr


def test_a_terminal_gets_bars_and_a_pipe_lines(terminal, monkeypatch):
    assert console.display() == "bar"
    monkeypatch.setenv("TERM", "dumb")
    assert console.display() == "lines"
    assert console.display("bar") == "bar"
    monkeypatch.setattr(terminal, "isatty", lambda: False)
    assert console.display("auto") == "lines"


def test_what_the_command_was_told_holds_while_it_runs(terminal):
    with console.progress_shown_as("none"):
        assert console.display() == "none"
    assert console.display() == "bar"


def test_what_is_done_at_once_is_not_told(terminal):
    with console.status("listing the samples"):
        pass
    assert terminal.getvalue() == ""


def test_a_terminal_shows_what_takes_long_until_it_is_done(terminal, monkeypatch):
    monkeypatch.setattr(console, "PATIENCE_S", 0.01)
    with console.status("listing the samples"):
        assert terminal.written.wait(5)
    assert re.search(r"listing the samples \(\d\d:\d\d\)", terminal.getvalue())
    assert terminal.getvalue().rsplit("\r", 2)[1].strip() == ""  # the last that was drawn is blanks
    assert "\n" not in terminal.getvalue()


def test_a_log_gets_a_line_of_what_takes_long_even_if_it_fails(terminal, monkeypatch):
    monkeypatch.setattr(console, "PATIENCE_S", 0.01)
    with pytest.raises(DataError), console.progress_shown_as("lines"), console.status("listing the samples"):
        assert terminal.written.wait(5)
        raise DataError("no samples")
    assert terminal.getvalue() == "listing the samples\n"


def test_nothing_is_told_where_no_progress_is_asked_for(terminal, monkeypatch):
    monkeypatch.setattr(console, "PATIENCE_S", 0)
    with console.progress_shown_as("none"), console.status("listing the samples"):
        threads = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
        assert not any(thread.name == "status" for thread in threads)
    assert terminal.getvalue() == ""


def test_a_message_stands_above_the_bars(terminal):
    bar = tqdm(total=2, bar_format="{n_fmt}/{total_fmt}", file=terminal)
    console.write_above_bars("a warning\n")
    bar.close()
    assert re.sub(r" +", " ", terminal.getvalue()) == "\r0/2\r \ra warning\n\r0/2\r0/2\n"


def test_native_words_go_to_the_file_and_python_stays_on_the_screen(tmp_path, capfd):
    with console.native_stderr_to(tmp_path / "log"):
        os.write(2, b"from C++\n")
        print("from Python", file=sys.stderr)
    assert capfd.readouterr().err == "from Python\n"
    assert (tmp_path / "log").read_text() == "from C++\n"


def test_what_libraries_say_from_python_follows_their_native_words(tmp_path, capfd):
    with console.native_stderr_to(tmp_path / "log"):
        with console.python_stderr_to_native():
            kept = sys.stderr
            print("a greeting", file=sys.stderr)
        print("later, by a handler", file=kept)
        print("ours", file=sys.stderr)
    assert capfd.readouterr().err == "ours\n"
    assert (tmp_path / "log").read_text() == "a greeting\nlater, by a handler\n"


def test_native_words_are_shown_after_an_error_that_nobody_foresaw(capfd):
    with pytest.raises(ZeroDivisionError), console.hidden_native_stderr():
        os.write(2, b"".join(b"word %d\n" % number for number in range(30)))
        1 / 0  # noqa: B018
    assert capfd.readouterr().err.splitlines() == [f"word {number}" for number in range(10, 30)]


@pytest.mark.parametrize("error", [DataError("no samples"), BrokenPipeError()])
def test_native_words_are_not_shown_after_an_error_that_is_told_in_words_or_foreseen(error, capfd):
    with pytest.raises(type(error)), console.hidden_native_stderr():
        os.write(2, b"chatter\n")
        raise error
    assert capfd.readouterr().err == ""
