//! Standard output as a private channel: libraries that print must not be able to write into the
//! protocol.

use std::io::{self, Write};

/// Takes standard output for the protocol alone. From here on whatever else prints there lands on
/// standard error.
#[cfg(unix)]
pub fn claim_stdout() -> io::Result<impl Write + Send + 'static> {
    let private = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    Ok(std::fs::File::from(private))
}

/// Takes standard output for the protocol. Outside Unix it is not moved away: what a library
/// prints there would reach the client, which skips no line it does not understand.
#[cfg(not(unix))]
pub fn claim_stdout() -> io::Result<impl Write + Send + 'static> {
    Ok(io::stdout())
}
