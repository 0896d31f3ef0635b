"""Guiders, samplers and noise scales that core has to see."""
