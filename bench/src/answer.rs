//! Answers scanned in place: what they are, and a checksum of what they hold.
