//! One connection, its requests in flight and their answers.
