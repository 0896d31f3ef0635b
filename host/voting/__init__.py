"""Votes in ComfyUI: folders of its own that are candidates, files of votes, the routes of the page."""
