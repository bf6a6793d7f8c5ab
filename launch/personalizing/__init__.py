"""Personal memories compared: bases and arms, what they score, and one table."""
