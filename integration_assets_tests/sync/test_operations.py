"""What an operation on links says of its labels."""

import pytest

from integration_assets.models import PLAIN_LABEL
from integration_assets.sync.operations import Operation, counted_labels


@pytest.mark.parametrize(
    ("action", "before", "after", "changed"),
    [
        ("link", (), (PLAIN_LABEL, "voted"), ("voted",)),
        ("link", ("other:7", "voted"), ("author", "other:7", "voted"), ("author",)),
        ("link", (), (PLAIN_LABEL,), (PLAIN_LABEL,)),
        ("unlink", (PLAIN_LABEL, "other:7", "voted"), ("voted",), ("voted",)),
        ("unlink", (PLAIN_LABEL, "voted"), (PLAIN_LABEL, "voted"), ("voted",)),
        ("unlink", (PLAIN_LABEL,), (PLAIN_LABEL,), (PLAIN_LABEL,)),
    ],
)
def test_labels_that_count_are_those_added_or_taken_off(action, before, after, changed):
    """A link names what it adds to what is there, an unlink what it takes off; the plain one counts only alone."""
    operation = Operation(1, action, "canny:r1", "1", before_labels=before, after_labels=after)
    assert operation.changed_labels == changed


def test_an_unlink_of_the_plain_label_ends_the_pair():
    """Without it other labels stay; a link ends nothing."""
    assert Operation(1, "unlink", "canny:r1", "1", after_labels=(PLAIN_LABEL, "voted")).whole
    assert not Operation(1, "unlink", "canny:r1", "1", after_labels=("voted",)).whole
    assert not Operation(1, "link", "canny:r1", "1", after_labels=(PLAIN_LABEL, "voted")).whole
    assert counted_labels(("author", PLAIN_LABEL, "voted")) == ("author", "voted")
