"""Images that are the same, or nearly: finding them, grouping them, and what to do with them."""
