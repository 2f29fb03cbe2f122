//! A socket that never blocks, with TLS or without.
