//! The system calls behind `cachy run --transparent`: namespaces of a process's own, and files of
//! the system's covered by others there. What they are for is decided in Python.

use std::io;
use std::path::Path;

use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::process::{Signal, getpid, set_child_subreaper, set_parent_process_death_signal};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Moves the calling process to a network and a mount namespace of its own, and before that to a
/// user namespace where it lacks the right to them.
///
/// The process must have one thread.
///
/// # Errors
/// The kernel forbids it.
pub fn enter(user: bool) -> io::Result<()> {
    let mut flags = UnshareFlags::NEWNET | UnshareFlags::NEWNS;
    flags.set(UnshareFlags::NEWUSER, user);
    // SAFETY: the file descriptors stay shared, which is what makes `unshare` unsafe.
    #[allow(unsafe_code)]
    unsafe {
        unshare_unsafe(flags)?;
    }
    // What is mounted here from now on is seen nowhere else.
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    Ok(mount_change("/", flags)?)
}

/// Lets a file or folder be seen in another's place.
///
/// # Errors
/// One of the two isn't there, or the kernel forbids it.
pub fn cover(target: &Path, source: &Path) -> io::Result<()> {
    Ok(mount_bind(source, target)?)
}

/// Makes orphans of this process's descendants its own children.
///
/// # Errors
/// The kernel is older than 3.4.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Sends the calling process a signal when its parent ends: SIGKILL, or else SIGTERM.
///
/// # Errors
/// None that is known.
pub fn end_with_parent(kill: bool) -> io::Result<()> {
    let signal = if kill { Signal::KILL } else { Signal::TERM };
    Ok(set_parent_process_death_signal(Some(signal))?)
}
