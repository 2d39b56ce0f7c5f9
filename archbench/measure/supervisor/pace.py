"""How long a call may take before it is measured in another way. Read on both sides of the pipe; no torch."""

from __future__ import annotations

from archbench.units import NS_PER_S

SLOW_NS = (
    NS_PER_S  # a call this long is its own warm-up and block (seen: its first is no slower than its second), and too
)
# dear to be made for a second quantity
