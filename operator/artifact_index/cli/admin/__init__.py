"""Commands of the administrator: what they ask and change beside our kinds."""
