"""VideoCrafter 1 and 2, DynamiCrafter."""
