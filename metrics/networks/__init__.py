"""Networks whose features metrics compare, as the files that people have them in need them; plain torch."""
