//! System calls that no safe crate offers; the only file with `unsafe`, each block with the reason why it is sound.
#![expect(unsafe_code, reason = "the only place for it")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Binds a packet socket to an interface and to a protocol (`ETH_P_*`): it hears only those frames, and sends there.
///
/// # Errors
/// The kernel's refusal; `ENODEV` where there is no such interface.
pub(crate) fn bind_packet_socket(socket: BorrowedFd<'_>, protocol: u16, index: u32) -> io::Result<()> {
    let index = libc::c_int::try_from(index).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as libc::c_ushort,
        sll_protocol: protocol.to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the pointer is to a whole `sockaddr_ll` that outlives the call, `length` is its size, and the kernel only
    // reads it; the descriptor is open as long as it is borrowed.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Gives the calling thread the real-time policy `SCHED_FIFO` with this priority, 1..=99.
///
/// # Errors
/// `EPERM` without `CAP_SYS_NICE` or a limit (`RLIMIT_RTPRIO`) that permits it.
pub(crate) fn set_realtime(priority: u8) -> io::Result<()> {
    // SAFETY: `sched_param` is plain integers, for which all bits zero are a value.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = priority.into();
    // SAFETY: the pointer is to a whole `sched_param` that outlives the call; 0 is the calling thread.
    let result = unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameters)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
