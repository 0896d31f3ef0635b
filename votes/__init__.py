"""Votes of people between two clips: which pairs are shown, how votes are kept, ratings, the choice."""
