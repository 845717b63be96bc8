//! `stepladder worker`: the engine on standard input and output.

use stepladder_engine::worker;

use super::failure::{Failure, Outcome};

/// Serves until the input ends.
pub fn run() -> Result<Outcome, Failure> {
    worker::run()?;
    Ok(Outcome::Done)
}
