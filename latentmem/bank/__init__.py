"""Memory states that outlive a process."""
