"""Neural parts shared by model plugins."""
