"""Plugins inside core, through the same hooks as everybody's."""
