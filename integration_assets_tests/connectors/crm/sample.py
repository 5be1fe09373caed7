"""A small object of ours, with every kind of property and link the connectors have to know."""

from __future__ import annotations

from integration_assets.models import LinkDefinition, ObjectDefinition, PropertyDefinition

TITLE = PropertyDefinition("title", "Title", "string", "text", description="What is wanted.")
KEY = PropertyDefinition("request_key", "Request key", "string", "text", unique=True)
STATUS = PropertyDefinition(
    "status", "Status", "enumeration", "select", options=(("open", "Open"), ("closed", "Closed"))
)
VOTES = PropertyDefinition("votes", "Votes", "number", "number")

REQUEST = ObjectDefinition(
    name="wish",
    singular="Wish",
    plural="Wishes",
    group="wish_sync",
    group_label="Wish sync",
    key_property="request_key",
    display_property="title",
    properties=(KEY, TITLE, STATUS, VOTES),
    links=(
        LinkDefinition("voted", "company", "Voted", "Voted for"),
        LinkDefinition("voter", "contact", "Voter", "Votes for"),
        LinkDefinition("author", "contact", "Author", "Author of"),
    ),
)
