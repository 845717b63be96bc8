//! Standard output for programs: one JSON object per line.

use std::io::{self, Write};

use serde::Serialize;

/// Writes one object as a line, at once.
pub fn write_line(object: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(object)?;
    line.push(b'\n');
    let mut output = io::stdout().lock();
    output.write_all(&line)?;
    output.flush()
}
