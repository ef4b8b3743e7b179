"""What commands do, by their names: loaded when one runs, not when it is asked what it can."""
