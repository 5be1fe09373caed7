"""Word lists that made-up names, addresses and request titles are put together from."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COMPANY_FIRST = _words(
    "Alder Amber Aspen Beacon Birch Bluff Bright Brook Cedar Cinder Clear Cobalt Copper Coral Crest Dale Delta Dove "
    "Drift Dune Eagle Elder Ember Fair Fern Field Flint Forge Glen Gold Granite Grove Harbor Hazel Heron Hollow Iron "
    "Ivory Juniper Keel Kestrel Lake Larch Laurel Lime Linden Maple Marsh Meadow Mill Mist Moss North Oak Ocean "
    "Opal Orchard Otter Pearl Pebble Pine Plum Prairie Quarry Quill Raven Reed Ridge River Rowan Rust Sable Saffron "
    "Sage Salt Sand Shore Silver Slate Snow South Spruce Stone Storm Summit Swift Tall Teal Thistle Thorn Tide "
    "Timber Topaz Vale Violet Wander West Willow Wind Winter Wren Yarrow"
)
COMPANY_SECOND = _words(
    "bank bay berg bridge brook burn bury cliff cote crest dale down fall fell ferry field fold ford gate grove ham "
    "haven hill holm hurst land leigh light line lock mark mere mill moor mount path peak point port reach ridge "
    "shaw side spring stead stone stow stream vale view ward water way well wick wood worth yard"
)
COMPANY_KIND = (
    "Analytics", "Automotive", "Bank", "Biotech", "Cargo", "Clinics", "Cloud", "Construction", "Consulting", "Dental",
    "Design", "Education", "Energy", "Engineering", "Finance", "Foods", "Freight", "Games", "Health", "Hotels",
    "Insurance", "Labs", "Legal", "Logistics", "Media", "Mobility", "Networks", "Outdoor", "Payments", "Pharma",
    "Property", "Publishing", "Robotics", "Security", "Software", "Solar", "Sports", "Studios", "Systems", "Telecom",
    "Textiles", "Tools", "Travel", "Utilities", "Ventures",
)  # fmt: skip
SUFFIXES = ("com", "com", "com", "com", "io", "co", "net", "de", "co.uk", "fr", "com.au", "nl", "se", "ca", "co.jp")

FIRST_NAMES = _words(
    "Ada Aisha Akira Amara Amelie Andre Anna Arjun Astrid Ben Bruno Carla Chen Chloe Daniel David Diego Elena Elif "
    "Emma Erik Fatima Felix Finn Gabriel Grace Hana Hannah Hugo Ines Ivan Jakub Jana Jonas Julia Kai Karim Kofi Lara "
    "Leila Leo Liam Lina Lucas Lucia Maja Marco Maria Mateo Maya Mei Mia Milan Nadia Nils Noah Nora Oliver Omar "
    "Oskar Paul Petra Priya Rafael Rosa Ryan Sam Sana Sofia Sven Tara Theo Tomas Uma Vera Victor Wei Yara Yuki Zoe"
)
LAST_NAMES = _words(
    "Adeyemi Almeida Andersen Baker Bauer Becker Bianchi Brown Castro Chen Costa Dubois Eriksen Evans Farah Fischer "
    "Fontaine Garcia Gomez Gruber Haddad Hansen Hughes Ito Ivanov Jansen Johnson Kaya Keller Khan Kim Kowalski Kumar "
    "Lang Larsen Lee Lindqvist Lopez Mancini Martin Mensah Meyer Moreau Nakamura Navarro Nguyen Novak Nowak Okafor "
    "Olsen Osei Patel Pereira Petrov Phillips Popescu Quinn Reyes Ricci Rossi Ruiz Sato Schmidt Silva Singh Smith "
    "Sorensen Suzuki Svensson Tanaka Taylor Thomas Torres Vargas Varga Vogel Walker Weber Wilson Wong Yilmaz Young"
)
PERSONAL_HOSTS = ("gmail.com", "yahoo.com", "outlook.com", "hotmail.com", "icloud.com", "gmx.de", "web.de", "qq.com")
DISPOSABLE_HOSTS = ("mailinator.com", "guerrillamail.com", "10minutemail.com", "yopmail.com")

BOARDS = (
    ("Feature Requests", ("Dashboard", "Permissions", "Workflow", "Search")),
    ("Integrations", ("CRM", "Chat", "Data warehouse", "Identity")),
    ("Mobile App", ("Android", "iOS", "Dashboard")),
    ("Reporting & Analytics", ("Dashboard", "Exports", "Billing")),
    ("Internal Ideas", ("Operations", "Support")),
)
"""Boards with their categories; `Dashboard` is on three boards on purpose, as names collide across boards."""
TAGS = ("quick win", "enterprise", "security", "accessibility", "performance", "compliance", "onboarding")

VERBS = (
    "Bulk edit", "Export", "Import", "Schedule", "Filter", "Search", "Duplicate", "Archive", "Share", "Comment on",
    "Undo changes to", "Set reminders for", "Group", "Sort", "Translate", "Lock", "Compare", "Restore deleted", "Tag",
    "Assign owners to", "Get alerts about", "Automate", "Merge", "Approve", "Preview", "Pin",
)  # fmt: skip
OBJECTS = (
    "invoices", "custom fields", "audit logs", "dashboards", "user roles", "templates", "reports", "projects",
    "contacts", "work orders", "approval flows", "price lists", "support tickets", "API keys", "webhooks",
    "attachments", "time sheets", "contracts", "forms", "surveys", "notifications", "calendars", "budgets",
    "purchase orders", "knowledge base articles", "service windows", "inventory counts", "delivery notes",
)  # fmt: skip
CONTEXTS = (
    "from the list view", "by region", "in the mobile app", "with one click", "as CSV", "per team", "across workspaces",
    "through the API", "by e-mail", "for guests", "with keyboard shortcuts", "in dark mode", "while offline",
    "for several subsidiaries at once", "by cost centre", "with approval", "in the calendar", "before publishing",
)  # fmt: skip
SYSTEMS = (
    "Slack", "Microsoft Teams", "Jira", "Salesforce", "HubSpot", "Google Sheets", "Snowflake", "BigQuery", "Okta",
    "Entra ID", "Zendesk", "Notion", "Power BI", "Tableau", "Zapier", "SAP", "NetSuite", "Xero", "GitHub", "ServiceNow",
)  # fmt: skip
INTEGRATION_PATTERNS = (
    "{system} integration", "Two-way sync with {system}", "Send {object} to {system}", "Import {object} from {system}",
    "Single sign-on with {system}", "Link {object} to {system} records", "{system} app for {object}",
)  # fmt: skip
REASONS = (
    "We do this by hand every week and it takes hours.",
    "Our auditors ask for it twice a year.",
    "Two of our regional teams are blocked on this.",
    "Competing tools have had this for a while.",
    "At the moment we export everything and fix it in a spreadsheet.",
    "This would let us roll the product out to the rest of the company.",
    "Our new colleagues stumble over this in their first week.",
    "It is the most frequent question in our internal help channel.",
    "Happy to join a call and show how we work today.",
    "An option in the settings would be enough for us.",
)
