//! System calls that no crate of ours wraps: the only `unsafe` code of this project, one call a function.
//!
//! Source: sched_setscheduler(2), pidfd_open(2), packet(7), malloc_trim(3), mallopt(3), adjtimex(2), execve(2).
#![allow(unsafe_code, reason = "this is the one place for it: tests/tidy.rs")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use tokio::io::unix::AsyncFd;

/// Binds a packet socket to an interface and to a protocol (`ETH_P_*`): it hears only those frames, and sends there.
///
/// # Errors
/// The kernel's refusal; `ENODEV` where there is no such interface.
pub(crate) fn bind_packet_socket(socket: BorrowedFd<'_>, protocol: u16, index: u32) -> io::Result<()> {
    let number = |value: i32| libc::c_ushort::try_from(value).map_err(io::Error::other);
    let index = libc::c_int::try_from(index).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
    let address = libc::sockaddr_ll {
        sll_family: number(libc::AF_PACKET)?,
        sll_protocol: protocol.to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
    // SAFETY: the pointer is to a whole `sockaddr_ll` that outlives the call, `length` is its size, and the kernel only
    // reads it; the descriptor is open as long as it is borrowed.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `SCHED_FIFO` with this priority (1..=99) for the calling thread alone; threads and processes that it starts don't
/// inherit it.
///
/// # Errors
/// `EPERM` without `CAP_SYS_NICE` and above `RLIMIT_RTPRIO`; `EINVAL` for a priority out of range.
pub(crate) fn set_realtime(priority: u8) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: i32::from(priority) };
    // SAFETY: the pointer is to a live, initialised structure that the kernel only reads; 0 names the calling thread.
    let result = unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameters)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has a program write `0` to `door` before it is in place, when it is itself already: what stands for the writer there
/// (`cgroup.procs`) holds from its first instruction on. The door is opened with the starter's rights, and those count.
pub(crate) fn enters(command: &mut std::process::Command, door: OwnedFd) {
    let enter = move || match nix::unistd::write(&door, b"0") {
        Ok(_) => Ok(()),
        Err(errno) => Err(errno.into()),
    };
    // SAFETY: between fork and exec the closure does one write(2), which is safe in a signal handler, and allocates nothing.
    unsafe { std::os::unix::process::CommandExt::pre_exec(command, enter) };
}

/// Whether somebody keeps the clock right, and by how much it may be wrong at most, in microseconds. Reads only.
///
/// # Errors
/// The kernel's refusal.
pub(crate) fn clock_state() -> io::Result<(bool, i64)> {
    // SAFETY: the structure is made of integers only, for which zeros are a value; no bit in `modes` asks for a change.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live structure of the kernel's layout that the kernel fills.
    let result = unsafe { libc::adjtimex(&raw mut state) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let synchronised = result != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0;
    Ok((synchronised, state.maxerror))
}

/// A descriptor of a process that becomes readable when the process ends (Linux 5.3).
///
/// # Errors
/// `ESRCH` where there is no such process, `EMFILE`, `ENOSYS`.
pub(crate) fn pidfd_open(process: u32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers and no pointer.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::c_long::from(process), 0) };
    let descriptor = i32::try_from(result).map_err(io::Error::other)?;
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Lets others go first: the niceness of the calling thread, and of threads that it starts from now on, grows by `more`
/// (nice(2); on Linux it is each thread's own, sched(7)). No privilege is needed for it.
pub(crate) fn yield_to_others(more: u8) {
    // SAFETY: the call takes a number. What it returns may be -1 either way, and it fails only for who wants to be less nice.
    unsafe { libc::nice(i32::from(more)) };
}

/// Gives memory back to the system that was freed and lies between what is in use (`malloc_trim`): what a burst of probes, or
/// reading a large policy, took for a moment. It takes some milliseconds for a heap of a hundred megabytes.
#[cfg(target_env = "gnu")]
pub(crate) fn give_memory_back() {
    // SAFETY: the call takes a number and locks the allocator for itself.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators than glibc's give it back by themselves.
#[cfg(not(target_env = "gnu"))]
pub(crate) const fn give_memory_back() {}

/// Has large blocks, and what is free at the end of a thread's heap, go back to the system as soon as they are free. Left to
/// itself glibc raises both bounds to the size of the largest block that was ever freed (`M_MMAP_THRESHOLD`), which reading a
/// policy makes megabytes, and each thread that looks at the kernel or at routes then keeps as much; [`give_memory_back`] does
/// not reach it there. What is set here is what glibc begins with. It is to be called before there are other threads.
#[cfg(target_env = "gnu")]
pub(crate) fn keep_little_memory() {
    const BEGINS_WITH: libc::c_int = 128 * 1024;
    // SAFETY: the call takes two numbers.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, BEGINS_WITH) };
}

/// Other allocators keep to their bounds.
#[cfg(not(target_env = "gnu"))]
pub(crate) const fn keep_little_memory() {}

/// Puts a descriptor of ours under tokio's watch.
///
/// # Errors
/// When the runtime's poller takes no more, or does not know such descriptors.
pub(crate) fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` names one open descriptor until it is dropped, always the same; tokio's owns it from here on.
    unsafe { AsyncFd::register(descriptor) }.map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_there_has_a_descriptor_and_one_that_is_not_has_none() {
        assert!(pidfd_open(std::process::id()).is_ok());
        let error = pidfd_open(0x7fff_ffff).expect_err("no such process");
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }

    #[test]
    fn the_state_of_the_clock_can_be_read() {
        let (_, error_us) = clock_state().expect("it needs no privilege");
        assert!(error_us >= 0);
    }

    #[test]
    fn a_priority_out_of_range_is_refused() {
        assert_eq!(set_realtime(200).expect_err("out of range").raw_os_error(), Some(libc::EINVAL));
    }
}
