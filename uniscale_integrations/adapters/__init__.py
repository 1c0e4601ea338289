"""What the adapters of the frameworks have in common; none of it imports one."""
