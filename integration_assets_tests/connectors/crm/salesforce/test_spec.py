"""Salesforce as the settings know it: which credential its values make, and the file to deploy by hand."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from pydantic import SecretStr

from integration_assets.config import Environment, Settings, load_settings
from integration_assets.connectors.credential import ClientSecret, JwtKey, Token
from integration_assets.connectors.crm.factory import CrmFactory
from integration_assets.connectors.crm.salesforce.connector import salesforce
from integration_assets.connectors.crm.salesforce.spec import SALESFORCE, credential
from integration_assets.errors import ConfigurationError
from integration_assets.provider_values import why_no_base_url, why_no_secret
from integration_assets.providers import crm_factory
from integration_assets.tenants.portal_setup import file_to_deploy

KEY = SecretStr("-----BEGIN PRIVATE KEY-----\nMIIE0123456789\n-----END PRIVATE KEY-----")
SECRET = SecretStr("a-secret-of-an-app")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A Salesforce sandbox by environment variables."""
    monkeypatch.setenv("INTEGRATION_ASSETS_CRM", "salesforce")
    monkeypatch.setenv("SALESFORCE_SANDBOX_SECRET", SECRET.get_secret_value())
    monkeypatch.setenv("SALESFORCE_SANDBOX_CLIENT_ID", "3MVG9.app")
    monkeypatch.setenv("SALESFORCE_SANDBOX_BASE_URL", "https://acme--dev.sandbox.my.salesforce.com")
    monkeypatch.setenv("SALESFORCE_SANDBOX_SETUP_TOKEN", "00D-token-of-an-administrator")
    monkeypatch.setenv("SALESFORCE_SANDBOX_ORG_ID", "00D000000000007AAA")
    return load_settings()


def test_the_spec_names_a_factory_as_the_product_opens_one():
    """Held by the type checker: it takes what every factory of a CRM takes, and gives a whole CRM."""
    factory: CrmFactory = salesforce
    assert crm_factory(SALESFORCE.name) is factory


def test_what_stands_beside_a_secret_says_what_it_is():
    """A key with app and user, a secret with an app, a token alone."""
    app = {"client_id": "3MVG9.app"}
    assert credential(KEY, {**app, "username": "sync@acme.com"}) == JwtKey("3MVG9.app", "sync@acme.com", KEY)
    assert credential(SECRET, app) == ClientSecret("3MVG9.app", SECRET)
    assert credential(SECRET, {}) == Token(SECRET)


@pytest.mark.parametrize(
    ("secret", "beside", "words"),
    [
        (KEY, {}, "needs the client id of its app and the name of a user"),
        (KEY, {"client_id": "3MVG9.app"}, "needs the client id of its app and the name of a user"),
        (SECRET, {"client_id": "3MVG9.app", "username": "sync@acme.com"}, "goes with a private key"),
    ],
)
def test_what_does_not_go_together_is_told(secret, beside, words):
    """Nothing of the secret is repeated."""
    with pytest.raises(ConfigurationError, match=words) as refused:
        credential(secret, beside)
    assert secret.get_secret_value() not in str(refused.value)


def test_settings_of_an_environment_come_from_its_variables(settings):
    """Those of the other environment are its own."""
    own = settings.crm(Environment.SANDBOX)
    assert own.credential == ClientSecret("3MVG9.app", SECRET)
    assert (own.portal_id, own.missing) == ("00D000000000007AAA", ())
    assert own.setup_secret is not None
    assert own.setup_secret.get_secret_value() == "00D-token-of-an-administrator"
    assert settings.crm(Environment.PRODUCTION).missing == (
        "SALESFORCE_PRODUCTION_SECRET",
        "SALESFORCE_PRODUCTION_BASE_URL",
    )


def test_a_private_key_has_line_breaks_and_a_secret_has_none_but_these():
    """As a file is pasted."""
    assert SALESFORCE.secret is not None
    assert why_no_secret(SALESFORCE.secret, KEY.get_secret_value()) is None
    assert why_no_secret(SALESFORCE.secret, "Bearer 00Dtoken") is not None


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://acme.my.salesforce.com", True),
        ("https://acme--dev.sandbox.my.salesforce.com", True),
        ("https://acme.my.salesforce.com/services/data/v60.0", False),
        ("acme.my.salesforce.com", False),
    ],
)
def test_the_address_is_that_of_the_orgs_domain(url, fits):
    """Without the path of a call."""
    assert SALESFORCE.address is not None
    assert (why_no_base_url(SALESFORCE.address, url) is None) is fits


def test_the_file_to_deploy_says_how(settings, monkeypatch):
    """The command, and what is left to do; another ending is no zip file."""
    content, (how, then) = file_to_deploy(settings, Path("salesforce.zip"))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert "objects/Feature_Request__c.object" in archive.namelist()
    assert how == "salesforce.zip: sf project deploy start --metadata-dir salesforce.zip --single-package"
    assert "assign the permission set Integration_Assets" in then
    asked_for = settings.model_copy(update={"company_rollups": True})
    content, _ = file_to_deploy(asked_for, Path("salesforce.zip"))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert "permissionsets/Integration_Assets_Accounts.permissionset" in archive.namelist()
        assert b"<members>Account.Feature_Requests_Open__c</members>" in archive.read("package.xml")
    with pytest.raises(ConfigurationError, match=r"must end in \.zip"):
        file_to_deploy(settings, Path("salesforce.txt"))
    monkeypatch.setenv("INTEGRATION_ASSETS_CRM", "hubspot")
    with pytest.raises(ConfigurationError, match="has no file to deploy"):
        file_to_deploy(load_settings(), Path("hubspot.zip"))


def test_one_secret_for_both_environments_is_refused(settings, monkeypatch):
    """A dry run against the sandbox would be one against production."""
    monkeypatch.setenv("SALESFORCE_PRODUCTION_SECRET", SECRET.get_secret_value())
    for address in ("", "https://acme--dev.sandbox.my.salesforce.com/"):
        monkeypatch.setenv("SALESFORCE_PRODUCTION_BASE_URL", address)
        with pytest.raises(ConfigurationError, match=r"are the same: each environment has its own org"):
            load_settings()


def test_one_app_may_be_known_in_two_orgs(settings, monkeypatch):
    """A sandbox copied from production has its apps, with their secrets; the addresses tell the orgs apart."""
    monkeypatch.setenv("SALESFORCE_PRODUCTION_SECRET", SECRET.get_secret_value())
    monkeypatch.setenv("SALESFORCE_PRODUCTION_BASE_URL", "https://acme.my.salesforce.com")
    assert load_settings().crm(Environment.PRODUCTION).secret == settings.crm(Environment.SANDBOX).secret
