"""The laboratory: an open test CAS, transport streams, and the demonstration made of both."""
