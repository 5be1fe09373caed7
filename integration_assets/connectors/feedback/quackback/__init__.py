"""Quackback: its REST API, read.

`records` says what the answers look like, `connector.QuackbackFeedback` is the whole as
`connectors.feedback.base.FeedbackSystem`, `spec` what the rest of the product knows of it.
"""
