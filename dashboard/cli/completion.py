"""`specyard completion`: what a shell needs to complete our commands."""

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def command(shell: str) -> None:
    """Write the completion for a shell: commands, options, workers, specs, projects.

    \b
    Examples:
      echo 'eval "$(specyard completion bash)"' >> ~/.bashrc
      echo 'eval "$(specyard completion zsh)"' >> ~/.zshrc
      specyard completion fish > ~/.config/fish/completions/specyard.fish
    """
    from click.shell_completion import get_completion_class

    from dashboard.cli import main

    completer = get_completion_class(shell)
    assert completer is not None  # one of the three above
    click.echo(completer(main, {}, "specyard", "_SPECYARD_COMPLETE").source())
