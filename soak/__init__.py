"""A fleet collected round after round: nothing is lost or doubled, and nothing grows."""
