"""UserVoice: its Admin API, read.

`records` says what the answers look like, `session` signs the calls and follows pages, `connector.UserVoiceFeedback` is
the whole as `connectors.feedback.base.FeedbackSystem`, `spec` what the rest of the product knows of it.
"""
