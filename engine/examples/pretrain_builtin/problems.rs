//! Owns the word problems: drawing them at random and keeping the sets apart.
//!
//! Every number that is computed with has three digits; only the final result may be smaller.

use crate::templates::{NAMES, OBJECTS, Operation, TEMPLATES, Template};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;

/// A word problem with its numbers and its wording.
pub struct Problem {
    pub question: String,
    pub retelling: String,
    pub plan: String,
    pub steps: Vec<Step>,
}

/// One computation of a problem.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub operation: Operation,
    pub left: u32,
    pub right: u32,
    pub result: u32,
}

impl Problem {
    /// The number the question asks for.
    pub fn answer(&self) -> u32 {
        self.steps.last().map_or(0, |step| step.result)
    }

    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let template = draw_template(rng);
        let steps = draw_steps(template.operations, rng);
        let first = rng.random_range(0..NAMES.len());
        // A second name that differs from the first.
        let second = (first + rng.random_range(1..NAMES.len())) % NAMES.len();
        let object = OBJECTS.choose(rng).copied().unwrap_or("coins");
        let fill = |text: &str| {
            let mut text = text
                .replace("{A}", NAMES[first])
                .replace("{B}", NAMES[second])
                .replace("{n}", object)
                .replace("{x}", &steps[0].left.to_string());
            for (placeholder, step) in ["{y}", "{z}"].iter().zip(&steps) {
                text = text.replace(placeholder, &step.right.to_string());
            }
            text
        };
        Self {
            question: fill(template.question),
            retelling: fill(template.retelling),
            plan: fill(template.plan),
            steps,
        }
    }
}

/// The kinds of computation are drawn first, so that no kind is rarer for having fewer templates.
fn draw_template(rng: &mut ChaCha8Rng) -> &'static Template {
    use Operation::{Add, Subtract};
    let operations: &[Operation] = match rng.random_range(0..20) {
        0..4 => &[Add],
        4..8 => &[Subtract],
        8..11 => &[Add, Add],
        11..14 => &[Add, Subtract],
        14..17 => &[Subtract, Add],
        _ => &[Subtract, Subtract],
    };
    let fitting: Vec<&Template> = TEMPLATES
        .iter()
        .filter(|template| template.operations == operations)
        .collect();
    fitting.choose(rng).copied().unwrap_or(&TEMPLATES[0])
}

fn draw_steps(operations: &[Operation], rng: &mut ChaCha8Rng) -> Vec<Step> {
    loop {
        let mut left = rng.random_range(100..1000_u32);
        let mut steps = Vec::with_capacity(operations.len());
        for (index, &operation) in operations.iter().enumerate() {
            let right = rng.random_range(100..1000_u32);
            let smallest = if index + 1 == operations.len() {
                0
            } else {
                100
            };
            let result = match operation {
                Operation::Add => Some(left + right),
                Operation::Subtract => left.checked_sub(right),
            };
            match result {
                Some(result) if (smallest..1000).contains(&result) => {
                    steps.push(Step {
                        operation,
                        left,
                        right,
                        result,
                    });
                    left = result;
                }
                _ => break,
            }
        }
        if steps.len() == operations.len() {
            return steps;
        }
    }
}

/// Draws problems whose questions no earlier set holds.
pub struct ProblemSource {
    rng: ChaCha8Rng,
    taken: HashSet<String>,
}

impl ProblemSource {
    pub fn new(rng: ChaCha8Rng) -> Self {
        Self {
            rng,
            taken: HashSet::new(),
        }
    }

    /// A problem to train on: it may repeat itself, but is in no reserved set.
    pub fn next(&mut self) -> Problem {
        loop {
            let problem = Problem::draw(&mut self.rng);
            if !self.taken.contains(&problem.question) {
                return problem;
            }
        }
    }

    /// A source that draws otherwise and keeps out of the same sets.
    pub fn with_stream(&self, rng: ChaCha8Rng) -> Self {
        Self {
            rng,
            taken: self.taken.clone(),
        }
    }

    /// A set of distinct problems that this source will never give out again.
    pub fn reserve(&mut self, count: usize) -> Vec<Problem> {
        (0..count)
            .map(|_| {
                let problem = self.next();
                self.taken.insert(problem.question.clone());
                problem
            })
            .collect()
    }
}
