//! For testing a store or an app: a clock that is set by hand, seeded randomness, a sender that remembers.
