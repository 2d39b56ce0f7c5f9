"""asv benches of archbench itself. Run them with `asv run --python=same --quick --dry-run`."""
