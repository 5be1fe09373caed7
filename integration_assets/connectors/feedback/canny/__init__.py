"""Canny: its API, read.

`records` says what the answers look like, `chain` how its moving lists are paged, `connector.CannyFeedback` is the
whole as `connectors.feedback.base.FeedbackSystem`, `spec` what the rest of the product knows of it.
"""
