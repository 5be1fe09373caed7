"""Pictures of everything that people look at: pages, report, Slack's messages, terminal.

`python -m integration_assets_tests.support.pictures FOLDER` writes all of them, `--docs` those of the documentation.
"""
