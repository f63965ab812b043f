"""Small HTTP for token services, and what their tokens say of themselves."""
