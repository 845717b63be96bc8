//! The page in both themes and at several sizes; with `STEPLADDER_LOOKS=FOLDER` the pictures are kept.

use stepladder_protocol::{ErrorReport, Event, FinishReason};

use super::*;
use crate::fine_tune::looks::{KEPT_IN, keep};

pub const LONG: &str = "# Two ways to add\n\nYou can add **345** and *267* in your head:\n\n1. add the hundreds: `300 + 200 = 500`\n2. add the tens: `40 + 60 = 100`\n3. add the ones: `5 + 7 = 12`\n   - and carry\n\n> 500 + 100 + 12 = 612\n\nOr with a program:\n\n```python\ndef add(one, other):\n    return one + other\n\nprint(add(345, 267))  # 612\n```\n\n| step | sum |\n|------|-----|\n| hundreds | 500 |\n| tens | 600 |\n| ones | 612 |\n\nMore at [a page about sums](https://example.org/sums).";

/// A conversation with replies beside each other.
pub fn beside(window: &mut Window) {
    entries(
        window,
        &[
            "Apples and pears",
            "Which day is it?",
            "A poem about a very long ladder that leans on a wall",
        ],
    );
    add(window, "short-thoughts");
    send(window, QUESTION);
    answer(window, REASONING, "\n\nThe answer is 612.");
    answer(
        window,
        "<think>\n345+267=612\n</think>",
        "\n\nThe answer is **612**.",
    );
}

#[test]
fn every_state_can_be_drawn() {
    for (theme, mark) in [(ThemeChoice::Light, "light"), (ThemeChoice::Dark, "dark")] {
        for size in [SIZE, SMALL] {
            // As on the Fine-tune page: the other two are for whoever looks at them.
            let is_usual = (theme == ThemeChoice::Light) == (size == SIZE);
            if !is_usual && std::env::var_os(KEPT_IN).is_none() {
                continue;
            }
            let name = |state: &str| format!("chat-{state}-{mark}-{}", size.x);
            let mut window = opened(theme, size);
            keep(&mut window, &name("loading"));
            ready(&mut window);
            keep(&mut window, &name("empty"));

            send(&mut window, QUESTION);
            answer(&mut window, REASONING, LONG);
            keep(&mut window, &name("markdown"));
            unfold(&mut window);
            send(&mut window, "And now 612 + 1?");
            say(&mut window, "<think>\n612+1", true);
            keep(&mut window, &name("thinking"));

            let mut window = loaded(theme, size);
            beside(&mut window);
            click(&mut window, "Sampling and instructions");
            keep(&mut window, &name("beside"));
            click(&mut window, "Sampling and instructions");
            add(&mut window, "xladder-32");
            add(&mut window, "lora");
            send(&mut window, "And twice as many?");
            answer(&mut window, REASONING, "\n\nThe answer is 1224.");
            say(&mut window, "<think>\n612*2=1224", true);
            let end = stats(8, 8, FinishReason::Length);
            tell(&mut window, Event::Reply(end));
            let problem = ErrorReport::new(
                "adapter_for_another_base",
                "xladder-32 was trained on another model",
                "use --model",
            );
            tell(&mut window, Event::TurnFailed(problem));
            say(&mut window, "12", false);
            keep(&mut window, &name("four"));
            let died = ErrorReport::new(
                "worker_died",
                "the worker ended unexpectedly (signal: 9)",
                "x",
            );
            tell(&mut window, Event::Failed(died));
            keep(&mut window, &name("died"));

            let mut window = loaded(theme, size);
            click(&mut window, "Add adapter");
            keep(&mut window, &name("adapters"));
        }
    }
}
