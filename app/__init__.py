"""Wiregrad's server and command line."""
