"""What launch.submit is made of."""
