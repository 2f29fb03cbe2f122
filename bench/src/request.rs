//! Requests as bytes: protocolOps without the message around them.
