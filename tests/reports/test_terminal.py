import contextlib
import io

import pytest

from seqtrain.reports.terminal import columns, drawn, indented, show, styled

LONG = "a word and " * 30


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def on_terminal(monkeypatch):
    """What is shown on a terminal that knows colours and is forty columns wide."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def shown(*parts):
        with contextlib.redirect_stdout(Terminal()) as stdout:
            show(*parts)
        return stdout.getvalue()

    return shown


def test_a_pipe_gets_whole_lines_without_colour_whatever_the_environment_says(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    show(styled("done", "green"), columns([("key", LONG)], ("", "")), LONG)
    assert capsys.readouterr().out == f"done\nkey  {LONG.rstrip()}\n{LONG.rstrip()}\n"


def test_a_terminal_gets_colours_and_cells_that_are_wrapped_in_their_column(on_terminal):
    first, *lines = on_terminal(styled("done", "green"), columns([("key", LONG)], ("", ""))).splitlines()
    assert first == "\x1b[32mdone\x1b[0m"
    assert max(map(len, lines)) <= 40
    assert all(line.startswith("     ") for line in lines[1:])
    assert "".join(lines).replace(" ", "") == f"key{LONG}".replace(" ", "")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_are_left_out_where_the_environment_asks_for_none(on_terminal, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert on_terminal(styled("done", "green")) == "done\n"


def test_lines_and_long_words_are_never_cut():
    path = "/data/" + "x" * 60
    assert drawn(path, styled(path, "dim"), width=20) == f"{path}\n{path}"
    table = drawn(columns([("key", path)], ("", "")), width=20)
    assert "…" not in table and table.replace("\n", "").replace(" ", "") == f"key{path}"


def test_brackets_are_text_and_no_markup():
    assert drawn("[32, 32] [red]x", columns([("[bold]", "[1]")], ("", ""))) == "[32, 32] [red]x\n[bold]  [1]"


def test_tables_have_a_header_columns_to_the_right_and_an_indent():
    table = columns([("a", "1"), ("bb", "100")], ("name", "count"), right=("count",))
    assert drawn(indented(table)).splitlines() == ["  name  count", "  a         1", "  bb      100"]
    assert drawn(columns([("a", "1")], ("", ""), min_widths=(4, 0))) == "a     1"
