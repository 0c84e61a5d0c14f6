"""The command line of `cachy serve`: words that belong to no option."""

import pytest

from cachy.cli.words import meant
from support.command import Cachy


@pytest.mark.parametrize(
    ("word", "option"),
    [
        ("8099", "--port 8099"),
        ("0.0.0.0", "--host 0.0.0.0"),
        (":8099", "--port 8099"),
        ("localhost", "--host localhost"),
        ("http://x:8099", "--host x --port 8099"),
        ("::1", "--host ::1"),
        ("127.0.0.1:8099", "--host 127.0.0.1 --port 8099"),
        ("[::1]:8099", "--host ::1 --port 8099"),
        ("/srv/cachy", "--dir /srv/cachy"),
        ("offline", "--mode offline"),
    ],
)
def test_the_option_that_is_meant(word: str, option: str) -> None:
    """It is named."""
    assert meant(word).endswith(f" is named by `{option}`")


@pytest.mark.parametrize("before", [[], ["--port", "0"]])
def test_a_port(command: Cachy, before: list[str]) -> None:
    """`cachy serve 8099` is a wrong command line, whatever else it says."""
    done = command.run("serve", *before, "8099", "--", "--set", "showhost=true")
    assert done.status == 2
    assert done.output.endswith("Error: '8099': the port is named by `--port 8099`\n")


def test_any_other_word(command: Cachy) -> None:
    """It says where mitmdump's are."""
    done = command.run("serve", "~q")
    assert done.status == 2
    assert "mitmdump's arguments follow `--`" in done.output


def test_words_of_mitmdump(command: Cachy) -> None:
    """What follows `--` is still for mitmdump, which says what is wrong with it."""
    done = command.run("serve", "--port", "0", "--dir", command.home / "words", "--", "--bogus")
    assert done.status == 3
    assert "mitmdump: error: unrecognized arguments: --bogus" in done.output
