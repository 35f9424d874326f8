//! What a database file promises besides the conformance suite.
