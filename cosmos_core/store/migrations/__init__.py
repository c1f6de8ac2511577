"""How a store gets from any older version's tables to ours; run by ``Store.open``, packaged with the library."""
