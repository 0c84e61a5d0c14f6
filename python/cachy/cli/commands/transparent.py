"""``cachy transparent``"""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cachy.cli.firewall import FIREWALLS, PORTS
from cachy.cli.redirect import DEFAULT_PORT, Redirect, State, valid_interface
from cachy.cli.terminal import No, json_option, print_json

F = TypeVar("F", bound=Callable[..., Any])


def _interface(_: click.Context, __: click.Parameter, value: str) -> str:
    if not valid_interface(value):
        raise click.BadParameter(f"{value!r} is not an interface's name")
    return value


def interface_option(function: F) -> F:
    """``--interface``"""
    return click.option(
        "--interface",
        "-i",
        metavar="NAME",
        required=True,
        callback=_interface,
        help="Where clients' connections arrive, such as br0.",
    )(function)


def rule_options(function: F) -> F:
    """``--port`` and ``--backend``"""
    function = click.option(
        "--backend",
        type=click.Choice(list(FIREWALLS)),
        help="By default nft, or iptables where nft is not installed.",
    )(function)
    return click.option(
        "--port",
        "-p",
        type=click.IntRange(1, 65535),
        default=DEFAULT_PORT,
        show_default=True,
        help="Where the proxy listens in transparent mode.",
    )(function)


@click.group("transparent")
def command() -> None:
    """Leads what arrives on an interface to the proxy: clients need to know nothing of it.

    For a machine that others use as their gateway: a bridge with containers, an
    office's router. TCP to ports 80 and 443 goes to a proxy in transparent mode
    on this machine, by IPv4 and IPv6; what is addressed to the machine itself,
    the names that clients ask for and everything else pass as before.

    \b
    As root, the rules and the proxy, until it ends:
      cachy serve --transparent br0
    Or the rules by themselves, and a proxy of whoever you like:
      cachy transparent up --interface br0
      cachy serve --transparent-port 8081
    In a container, once, so that it trusts the proxy:
      http_proxy=http://192.0.2.1 wget -qO- http://cachy.internal/setup.sh | sh
    And to be rid of it:
      cachy transparent down --interface br0
    """


def _say(state: State) -> str:
    if state.port is None:
        return f"{state.interface}: nothing is redirected"
    ports = " and ".join(str(port) for port in PORTS)
    text = f"{state.interface}: ports {ports} are led to port {state.port} ({state.backend})"
    return text if state.listening else f"{text}, where nobody listens"


def _json(state: State) -> dict[str, object]:
    return {
        "interface": state.interface,
        "up": state.port is not None,
        "backend": state.backend,
        "ports": list(PORTS),
        "to": state.port,
        "listening": state.listening,
    }


@command.command()
@interface_option
@rule_options
@json_option
def up(interface: str, port: int, backend: str | None, as_json: bool) -> None:
    """Makes the rules; a second time it changes nothing but what differs.

    They are in a table (nft) or a chain (iptables) of their own, called
    cachy-INTERFACE, and are gone after a reboot.
    """
    redirect = Redirect(interface, port, backend)
    redirect.up()
    state = redirect.state()
    if as_json:
        print_json(_json(state))
        return
    click.echo(_say(state))
    if not state.listening:
        click.echo(f"To listen there: cachy serve --transparent-port {port}", err=True)


@command.command()
@interface_option
@json_option
def down(interface: str, as_json: bool) -> None:
    """Removes the rules, without a trace; no error where there are none."""
    removed = Redirect(interface).down()
    if as_json:
        print_json({"interface": interface, "removed": removed})
    else:
        click.echo(f"{interface}: {'removed' if removed else 'nothing was redirected'}")


@command.command()
@interface_option
@json_option
def status(interface: str, as_json: bool) -> None:
    """Tells what is redirected, and whether somebody listens there.

    The exit code is 0 where both are so, else 1.
    """
    state = Redirect(interface).state()
    if as_json:
        print_json(_json(state))
    elif state.listening:
        click.echo(_say(state))
    if not state.listening:
        raise No(_say(state))


@command.command("print")
@interface_option
@rule_options
def print_rules(interface: str, port: int, backend: str | None) -> None:
    """Shows the rules, for those who keep their own.

    \b
    Needs no root. What it prints goes to `nft -f -`, or with
    --backend iptables to a shell:
      cachy transparent print --interface br0 >> /etc/nftables.conf
    """
    click.echo(Redirect(interface, port, backend).rules(), nl=False)
