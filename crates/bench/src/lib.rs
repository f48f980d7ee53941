//! Measures brokers against each other and against the machine.
