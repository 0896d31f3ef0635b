"""Context windows: a sampling run over more frames than the network was trained for,
one window of them at a time.
"""
