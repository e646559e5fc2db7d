"""The one training loop: visible, by steps, exact to the bit when it is taken up again."""
