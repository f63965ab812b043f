"""Commands of the administrator: what they ask and change beside both kinds."""
