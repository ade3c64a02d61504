"""Weights of the hub brought to this machine: named, downloaded, vouched for, and carried where there is no network."""
