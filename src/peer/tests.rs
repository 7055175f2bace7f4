//! Two ends over loopback.
