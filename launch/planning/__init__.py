"""What a step would need on machines that are not there: compiled for them, and read from the compiled program."""
