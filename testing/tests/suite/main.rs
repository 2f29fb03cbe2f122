//! Real peers against a real server.
mod differential;
