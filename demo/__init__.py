"""The tiny trained model family: its procedural world, its judge, its training and its weights."""
