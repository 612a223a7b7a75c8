"""What can be asked for, each kind in a module."""
