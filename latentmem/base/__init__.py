"""What knows nothing of the rest: names, errors, arrays, sharding, records."""
