"""LaVie: base, frame interpolation and video super-resolution."""
