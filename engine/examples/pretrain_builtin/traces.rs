//! Owns the two ways of reasoning about a problem.
//!
//! The long trace, which the base model learns, retells the problem, announces a plan, computes
//! digit by digit and then does all of it again. The short trace, which the built-in dataset
//! teaches, keeps every computation once and drops the rest.

use crate::problems::{Problem, Step};
use crate::templates::Operation;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The computations alone.
pub fn short_trace(problem: &Problem) -> String {
    problem
        .steps
        .iter()
        .map(computation)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Everything a careful and long-winded pupil would write down.
pub fn long_trace(problem: &Problem, rng: &mut ChaCha8Rng) -> String {
    let opening = pick(
        rng,
        &[
            "Let me read the problem carefully.",
            "Okay, let me look at the problem first.",
        ],
    );
    let start = pick(
        rng,
        &[
            "Now I compute digit by digit, from the ones.",
            "I go digit by digit, starting with the ones.",
        ],
    );
    let check = pick(
        rng,
        &[
            "Wait, let me check this again to be sure.",
            "Let me do it all again to be safe.",
        ],
    );
    let second = "That was the first step, now the second.";
    let mut lines = vec![
        format!("{opening} {}", problem.retelling),
        format!("{} {start}", problem.plan),
    ];
    lines.extend(all_steps(problem, second));
    lines.push(check.to_owned());
    lines.extend(all_steps(problem, "Again the second step."));
    lines.push(format!(
        "Both times I get {}, so I am sure.",
        problem.answer()
    ));
    lines.join("\n")
}

/// What is said after the reasoning.
pub fn reply(problem: &Problem) -> String {
    format!("The answer is {}.", problem.answer())
}

fn pick<'a>(rng: &mut ChaCha8Rng, wordings: &[&'a str; 2]) -> &'a str {
    wordings[rng.random_range(0..2)]
}

fn all_steps(problem: &Problem, between: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, step) in problem.steps.iter().enumerate() {
        if index > 0 {
            lines.push(between.to_owned());
        }
        lines.push(computation(step));
    }
    lines
}

/// `345+267:` then one line per digit from the ones, then the whole equation. Each line holds
/// all that its result depends on: the two digits and the carry or borrow.
fn computation(step: &Step) -> String {
    let (sign, left, right) = match step.operation {
        Operation::Add => ('+', step.left, step.right),
        Operation::Subtract => ('-', step.left, step.right),
    };
    let mut lines = vec![format!("{left}{sign}{right}:")];
    let mut carry = 0;
    for place in [1, 10, 100] {
        let (mut a, b) = (left / place % 10, right / place % 10);
        let carried = if carry > 0 {
            format!("{sign}{carry}")
        } else {
            String::new()
        };
        let result = match step.operation {
            Operation::Add => {
                let result = a + b + carry;
                carry = result / 10;
                result
            }
            Operation::Subtract => {
                let taken = b + carry;
                carry = u32::from(a < taken);
                a += 10 * carry;
                a - taken
            }
        };
        lines.push(format!("{a}{sign}{b}{carried}={result}"));
    }
    lines.push(format!("{left}{sign}{right}={}", step.result));
    lines.join("\n")
}
