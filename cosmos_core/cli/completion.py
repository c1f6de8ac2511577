"""``cosmos completion``: the script that makes Tab work."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, get_completion_class

from cosmos_core.cli.asked import command as make

if TYPE_CHECKING:
    from cosmos_core.cli.asked import Asked

VARIABLE = "_COSMOS_COMPLETE"
SHELLS = ("bash", "zsh", "fish", "powershell")

# Native completers get the words as an abstract syntax tree. Click wants all of them, and the number of the one that
# is being typed; a word that is not begun yet is not in the tree.
_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursorPosition } |
        ForEach-Object { $_.ToString() })
    if ($wordToComplete -eq '') { $words += '' }
    $env:%(complete_var)s = 'powershell_complete'
    $env:COMP_WORDS = ConvertTo-Json -Compress -InputObject @($words)
    $env:COMP_CWORD = $words.Count - 1
    try {
        %(prog_name)s | ForEach-Object {
            $kind, $value, $help = $_ -split "`t", 3
            if ($value) {
                $tip = if ($help) { $help } else { $value }
                [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $tip)
            }
        }
    } finally {
        Remove-Item Env:%(complete_var)s, Env:COMP_WORDS, Env:COMP_CWORD -ErrorAction SilentlyContinue
    }
}
"""

_INSTALL = {
    "bash": 'add to ~/.bashrc:  eval "$(cosmos completion bash)"',
    "zsh": 'add to ~/.zshrc:  eval "$(cosmos completion zsh)"',
    "fish": "cosmos completion fish > ~/.config/fish/completions/cosmos.fish",
    "powershell": "add to $PROFILE:  cosmos completion powershell | Out-String | Invoke-Expression",
}


class PowerShell(ShellComplete):
    """Completion for PowerShell 5 and 7, which click does not know by itself."""

    name: ClassVar[str] = "powershell"
    source_template: ClassVar[str] = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is typed, and what there is of it."""
        import json
        import os

        words = [_bare(word) for word in json.loads(os.environ["COMP_WORDS"])]
        at = int(os.environ["COMP_CWORD"])
        return words[1:at], words[at] if at < len(words) else ""

    def format_completion(self, item: CompletionItem) -> str:
        """Kind, value and help, between tabs."""
        return f"{item.type}\t{item.value}\t{' '.join((item.help or '').split())}"


def _bare(word: str) -> str:
    """A word without the quotes it was typed in."""
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"" else word


def teach_click() -> None:
    """Let click complete for PowerShell."""
    add_completion_class(PowerShell)


@make(
    "completion",
    examples="""
        eval "$(cosmos completion bash)"
        cosmos completion fish > ~/.config/fish/completions/cosmos.fish
        cosmos completion powershell | Out-String | Invoke-Expression
    """,
)
@click.argument("shell", type=click.Choice(SHELLS))
def command(asked: Asked, shell: str) -> None:
    """Print the script that completes commands in your shell.

    Completes commands, options, run ids, prompts and names of plugins.
    """
    from cosmos_core.cli.root import root

    teach_click()
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    script = found(root, {}, "cosmos", VARIABLE).source()
    asked.answer({"shell": shell, "script": script, "install": _INSTALL[shell]})
    asked.tell(script)
    asked.note(_INSTALL[shell])
