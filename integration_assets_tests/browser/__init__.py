"""The pages in a real browser. Left out, with one line that says so, where there is no Chromium."""
