"""Model folders and their files, node and prompt replacements, links to templates, the demo family."""
