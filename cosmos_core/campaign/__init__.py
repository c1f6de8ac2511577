"""A campaign: many videos from one file, asked for together, followed together, proved together.

:func:`read` collects what lies in the campaign's folder and understands nothing; :func:`expand` understands everything and
touches nothing; :func:`open_campaign` holds the result against a workspace's backends and clips. So all that is wrong in
any file is found at once, with its line, before anything is queued.
"""

from __future__ import annotations

from cosmos_core.campaign.campaign import Campaign, Proof, Submitted, open_campaign, to_export
from cosmos_core.campaign.expand import Expansion, Item, expand
from cosmos_core.campaign.folder import read
from cosmos_core.campaign.outlook import Outlook
from cosmos_core.campaign.standing import Standing, Status

__all__ = [
    "Campaign",
    "Expansion",
    "Item",
    "Outlook",
    "Proof",
    "Standing",
    "Status",
    "Submitted",
    "expand",
    "open_campaign",
    "read",
    "to_export",
]
