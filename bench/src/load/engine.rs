//! All lanes under one epoll, and the measured interval.
