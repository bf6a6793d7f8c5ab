"""Models that share nothing but slots, compared: arms, what they score, and what agents answer over a bank."""
