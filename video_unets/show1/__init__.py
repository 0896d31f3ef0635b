"""Show-1's pixel-space cascade."""
