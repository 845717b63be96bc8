//! Reads `samples.jsonl`, what a run's model said to held-out prompts: line by line, from a place on. A
//! line that is no row is counted and passed over; a last line that is not ended yet is left for the
//! next reading.

use std::io;
use std::path::Path;

use stepladder_protocol::SampleRow;

use super::json_lines::{Line, Lines};
use crate::state::runs::answers::AnswersRead;

/// The file's name within a run.
pub const NAME: &str = "samples.jsonl";
/// A longer line is no row: prompts are as long as an example, and an answer has 128 tokens.
const MAX_LINE: usize = 1 << 20;

/// Reads what a run's file holds from byte `from` on. A file that is shorter than that was written
/// anew, and is read from its beginning.
///
/// # Errors
/// When it cannot be read. A file that is not there has no rows.
pub fn read(run: &Path, from: u64) -> io::Result<AnswersRead> {
    let Some(mut lines) = Lines::open(&run.join(NAME), from, MAX_LINE)? else {
        return Ok(AnswersRead::default());
    };
    let mut read = AnswersRead {
        from: lines.from(),
        ..AnswersRead::default()
    };
    while let Some(line) = lines.next_line()? {
        match line {
            Line::TooLong => read.damaged += 1,
            Line::Whole(line) => match serde_json::from_slice::<SampleRow>(line) {
                Ok(row) => read.answers.take(row),
                Err(_) if line.trim_ascii().is_empty() => {}
                Err(_) => read.damaged += 1,
            },
        }
    }
    read.to = lines.to();
    Ok(read)
}
