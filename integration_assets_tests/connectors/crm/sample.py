"""A small object of ours, with every kind of property and link the connectors have to know."""

from __future__ import annotations

from integration_assets.models import LinkDefinition, ObjectDefinition, PropertyDefinition, PropertyKind

TITLE = PropertyDefinition("title", "Title", PropertyKind.TEXT, description="What is wanted.")
KEY = PropertyDefinition("request_key", "Request key", PropertyKind.TEXT, unique=True)
STATUS = PropertyDefinition("status", "Status", PropertyKind.OPTION, options=(("open", "Open"), ("closed", "Closed")))
VOTES = PropertyDefinition("votes", "Votes", PropertyKind.NUMBER)
DETAILS = PropertyDefinition("details", "Details", PropertyKind.LONG_TEXT)
ASKED_AT = PropertyDefinition("asked_at", "Asked at", PropertyKind.DATE_TIME)
PAGE = PropertyDefinition("page", "Page", PropertyKind.ADDRESS)
WORTH = PropertyDefinition("worth", "Worth", PropertyKind.MONEY)

REQUEST = ObjectDefinition(
    name="wish",
    singular="Wish",
    plural="Wishes",
    group="wish_sync",
    group_label="Wish sync",
    key_property="request_key",
    display_property="title",
    properties=(KEY, TITLE, STATUS, VOTES, DETAILS, ASKED_AT, PAGE, WORTH),
    links=(
        LinkDefinition("voted", "company", "Voted", "Voted for"),
        LinkDefinition("voter", "contact", "Voter", "Votes for"),
        LinkDefinition("author", "contact", "Author", "Author of"),
    ),
)
