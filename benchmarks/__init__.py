"""What a person runs to see the speed, each against a peer or a bound, as a ratio:
`python dev.py bench NAME`.
"""
