//! A bare server of the same request and answer shapes: the ceiling of generator and machine.
