"""`lfm2-colbert doctor`: is this machine fit, and how fast is it?"""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from lfm2_colbert.errors import EnvironmentFault
from service.cli import options
from service.cli.output import print_json, print_line, width
from service.settings import Settings

if TYPE_CHECKING:
    from service.doctor.finding import Finding


@click.command()
@click.option("--model", default="nano", show_default=True, metavar="NAME", help="The encoder to try.")
@options.common
def doctor(model: str, settings: Settings) -> int:
    """Check all that can be wrong with this machine, and measure the encoder's rate. Exits with 4 on an error."""
    from service.doctor.checks import examine
    from service.doctor.finding import Asked, State

    findings = []
    for finding in examine(Asked(settings, model)):
        findings.append(finding)
        if not settings.as_json:
            _show(finding)
    states = [finding.state for finding in findings]
    if settings.as_json:
        print_json({"fit": State.ERROR not in states, "checks": [asdict(finding) for finding in findings]})
    else:
        print_line(_verdict(states.count(State.ERROR), states.count(State.WARNING)))
    return EnvironmentFault.exit_status if State.ERROR in states else 0


def _show(finding: "Finding") -> None:
    code = "ok" if finding.code == "ok" else f"{finding.state}[{finding.code}]"
    name = finding.check + " " * (12 - width(finding.check))
    print_line(f"{name} {code} {finding.message}")
    if finding.help:
        print_line(f"{'':12} help: {finding.help}")


def _verdict(errors: int, warnings: int) -> str:
    if not errors + warnings:
        return "all checks passed"
    counted = [f"{n} {word}{'s' if n > 1 else ''}" for n, word in ((errors, "error"), (warnings, "warning")) if n]
    return f"{', '.join(counted)}; everything else is as it should be"
