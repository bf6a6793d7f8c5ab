"""What launch.sweep is made of."""
