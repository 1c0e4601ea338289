"""What the adapters of the frameworks have in common. Importing it imports none of them."""
