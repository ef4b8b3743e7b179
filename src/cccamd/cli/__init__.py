"""The commands of `cccamd`."""
