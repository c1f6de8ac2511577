"""The planner that answers when no other plugin does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cosmos_core.extend import Forecast, Plan, Queued, Slot


@hookimpl(trylast=True)
def cosmos_plan(runs: Sequence[Queued], slots: Sequence[Slot], forecast: Forecast) -> Plan:
    """Batches by load key, scarce runs first, long ones before short ones, smaller batches towards the end."""
    from cosmos_core.plan import arrange

    return arrange(runs, slots, forecast)
