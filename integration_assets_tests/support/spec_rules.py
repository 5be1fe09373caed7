"""What the spec of every provider has to be."""

from __future__ import annotations

from integration_assets.connectors.specs import ProviderKind, ProviderSpec


def check_whole(spec: ProviderSpec) -> None:
    """Names are unique, every setting can be explained, and a CRM has a secret per environment and a portal."""
    names = [setting.name for setting in spec.settings]
    assert len(set(names)) == len(names)
    assert all(setting.label and setting.help.endswith(".") and setting.hint for setting in spec.settings)
    if spec.kind is ProviderKind.CRM:
        assert spec.secret is not None
        assert spec.secret.variable.per_environment
        assert spec.setting("portal_id") is not None
