"""What happens, as figures for Prometheus."""

from cccamd.watch.metrics.metrics import Metrics, metrics_text

__all__ = ["Metrics", "metrics_text"]
