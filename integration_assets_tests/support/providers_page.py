"""The page of providers and their settings, made from the specs of the connectors.

`python -m integration_assets_tests.support.providers_page > docs/reference/providers.md` writes it.
"""

from __future__ import annotations

import sys

from integration_assets.config import ENVIRONMENTS
from integration_assets.connectors.specs import ProviderKind, ProviderSpec, VariableSpec
from integration_assets.providers import of_kind

BEFORE = """# Systems and their settings

Each system has a name, a secret, an address and settings. They are given as environment variables, or, by a tenant of
the registry, on the settings page and with
`integration-assets tenants integrations add TENANT NAME --set SETTING=VALUE`. Which system is meant follows from the
variables that are set; where those of two are, `INTEGRATION_ASSETS_FEEDBACK` and `INTEGRATION_ASSETS_CRM` say it.
[Several feedback systems](../concepts/several-feedback-systems.md) can be read in one run.
"""
HEADINGS = {
    ProviderKind.FEEDBACK: "Feedback systems",
    ProviderKind.CRM: "CRMs",
    ProviderKind.MESSAGES: "Messages",
}


def providers_page() -> str:
    """The page as Markdown."""
    lines = [BEFORE]
    for kind, heading in HEADINGS.items():
        lines += [f"## {heading}", ""]
        for spec in of_kind(kind):
            lines += _section(spec)
    return "\n".join(lines)


def _section(spec: ProviderSpec) -> list[str]:
    rows = []
    if spec.secret is not None:
        label = f"{spec.secret.label[0].upper()}{spec.secret.label[1:]}"
        rows.append(("(secret)", spec.secret.variable, f"{label}; it is sealed, and never shown again."))
    if spec.setup_secret is not None:
        label = f"{spec.setup_secret.label[0].upper()}{spec.setup_secret.label[1:]}"
        rows.append(("(variable only)", spec.setup_secret.variable, f"{label}, by somebody who may create our object."))
    if spec.address is not None:
        default = f"Default `{spec.address.default}`." if spec.address.default else f"As in `{spec.address.example}`."
        rows.append(("`--base-url`", spec.address.variable, f"Address of the API. {default}"))
    for setting in spec.settings:
        text = f"{setting.label}. {setting.help}" + (f" Default `{setting.default}`." if setting.default else "")
        rows.append((f"`{setting.name}`", setting.variable, text))
    return [
        f"### {spec.label} (`{spec.name}`)",
        "",
        "| setting | variable | meaning |",
        "|---|---|---|",
        *(f"| {name} | {_variables(variable)} | {text} |" for name, variable, text in rows),
        "",
    ]


def _variables(variable: VariableSpec) -> str:
    return ", ".join(f"`{name}`" for name in variable.all(ENVIRONMENTS))


if __name__ == "__main__":
    sys.stdout.write(providers_page())
