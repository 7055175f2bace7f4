//! The advert thread: sockets, timers and real-time priority for [`crate::vrrp`]. It never makes an rtnetlink request.
