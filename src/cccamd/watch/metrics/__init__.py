"""What happens, as figures for Prometheus: counted always, shown where somebody asks."""
