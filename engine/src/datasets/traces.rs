//! Think blocks in what an assistant says, whichever way a dataset marks them: moved into the
//! message's `reasoning`, so that the model's own template can tell them its own way.
//!
//! A block counts only at the beginning of a turn, where a model would think. What stands behind it
//! is the answer and keeps its bytes; the white space between the two, and around the reasoning
//! inside its markers, belongs to the markers and goes with them. Of several blocks the first is
//! moved. A message that has reasoning in a field of its own keeps that; a block that says the same
//! again, or nothing, is taken out.

use super::conversation::{Message, Role};

/// What marks a think block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Marker {
    /// `<think>...</think>`
    Think,
    /// `<thinking>...</thinking>`
    Thinking,
    /// `<reasoning>...</reasoning>`
    Reasoning,
    /// `<thought>...</thought>`
    Thought,
    /// `[THINK]...[/THINK]`, as Magistral writes.
    BracketThink,
    /// `<|begin_of_thought|>...<|end_of_thought|>`, as OpenThoughts writes, with the solution in
    /// markers of its own.
    BeginOfThought,
    /// `<|channel|>analysis<|message|>...<|end|>`, as gpt-oss writes, with the answer in the channel
    /// `final`.
    Channel,
    /// `...</think>`: the opening stood in the prompt, as templates of R1's kind put it there.
    OpenedByPrompt,
}

/// What was found in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TraceFound {
    /// No reasoning.
    None,
    /// Reasoning in a field of its own.
    Field,
    /// A block, which is now in the field.
    Inline(Marker),
    /// A block without words. The reasoning is then the empty text, which is not the same as none:
    /// templates tell it as a block that was left empty.
    Empty,
    /// A block that does not end. The message is as it was: what of it is an answer cannot be told.
    Unclosed,
}

/// How a block is written.
struct Notation {
    marker: Marker,
    open: &'static str,
    close: &'static str,
    /// What may open the answer behind the block; the longer first.
    answer_open: &'static [&'static str],
    /// What may close the answer.
    answer_close: &'static [&'static str],
}

const fn tags(marker: Marker, open: &'static str, close: &'static str) -> Notation {
    Notation {
        marker,
        open,
        close,
        answer_open: &[],
        answer_close: &[],
    }
}

const NOTATIONS: [Notation; 7] = [
    tags(Marker::Think, "<think>", "</think>"),
    tags(Marker::Thinking, "<thinking>", "</thinking>"),
    tags(Marker::Reasoning, "<reasoning>", "</reasoning>"),
    tags(Marker::Thought, "<thought>", "</thought>"),
    tags(Marker::BracketThink, "[THINK]", "[/THINK]"),
    Notation {
        marker: Marker::BeginOfThought,
        open: "<|begin_of_thought|>",
        close: "<|end_of_thought|>",
        answer_open: &["<|begin_of_solution|>"],
        answer_close: &["<|end_of_solution|>"],
    },
    Notation {
        marker: Marker::Channel,
        open: "<|channel|>analysis<|message|>",
        close: "<|end|>",
        answer_open: &[
            "<|start|>assistant<|channel|>final<|message|>",
            "<|channel|>final<|message|>",
        ],
        answer_close: &["<|return|>", "<|end|>"],
    },
];

/// Moves a think block into the message's `reasoning`.
pub fn recognize(message: Message) -> (Message, TraceFound) {
    if message.role != Role::Assistant {
        return (message, TraceFound::None);
    }
    let field = message.reasoning.as_deref().map(str::trim);
    let field = field.filter(|reasoning| !reasoning.is_empty());
    match (find(&message.content), field) {
        (Found::Nothing, Some(_)) | (Found::Unclosed, Some(_)) => (message, TraceFound::Field),
        (Found::Nothing, None) => {
            let found = match message.reasoning {
                Some(_) => TraceFound::Empty,
                None => TraceFound::None,
            };
            (message, found)
        }
        (Found::Unclosed, None) => (message, TraceFound::Unclosed),
        (Found::Block(block), Some(field)) => {
            let repeats = block.reasoning.is_empty() || block.reasoning == field;
            let content = repeats.then(|| block.answer.to_owned());
            let message = match content {
                Some(content) => Message { content, ..message },
                None => message,
            };
            (message, TraceFound::Field)
        }
        (Found::Block(block), None) => {
            let found = match block.reasoning.is_empty() {
                true => TraceFound::Empty,
                false => TraceFound::Inline(block.marker),
            };
            let reasoning = Some(block.reasoning.to_owned());
            let content = block.answer.to_owned();
            let message = Message {
                content,
                reasoning,
                ..message
            };
            (message, found)
        }
    }
}

enum Found<'a> {
    Nothing,
    Unclosed,
    Block(Block<'a>),
}

struct Block<'a> {
    marker: Marker,
    reasoning: &'a str,
    answer: &'a str,
}

fn find(content: &str) -> Found<'_> {
    let begin = content.trim_start();
    for notation in &NOTATIONS {
        if let Some(inside) = begin.strip_prefix(notation.open) {
            return match inside.split_once(notation.close) {
                Some((reasoning, behind)) => Found::Block(Block {
                    marker: notation.marker,
                    reasoning: reasoning.trim(),
                    answer: answer(behind, notation),
                }),
                None => Found::Unclosed,
            };
        }
    }
    opened_by_prompt(content).map_or(Found::Nothing, Found::Block)
}

/// A block whose opening stood in the prompt: one closing marker, no opening one, and not a marker
/// that a text about markers quotes.
fn opened_by_prompt(content: &str) -> Option<Block<'_>> {
    let (reasoning, behind) = content.split_once("</think>")?;
    let is_only = !content.contains("<think>") && !behind.contains("</think>");
    let is_quoted = reasoning.ends_with(['`', '"', '\'']);
    (is_only && !is_quoted).then(|| Block {
        marker: Marker::OpenedByPrompt,
        reasoning: reasoning.trim(),
        answer: behind.trim_start(),
    })
}

/// The answer behind a block, without the markers that some notations put around it.
fn answer<'a>(behind: &'a str, notation: &Notation) -> &'a str {
    let behind = behind.trim_start();
    let opened = notation
        .answer_open
        .iter()
        .find_map(|open| behind.strip_prefix(open));
    let answer = opened.map_or(behind, str::trim_start);
    let end = answer.trim_end();
    let closed = notation
        .answer_close
        .iter()
        .find_map(|close| end.strip_suffix(close));
    closed.map_or(answer, str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assistant(content: &str, reasoning: Option<&str>) -> Message {
        Message {
            reasoning: reasoning.map(str::to_owned),
            ..Message::new(Role::Assistant, content)
        }
    }

    #[test]
    fn blocks_move_and_answers_keep_their_bytes() {
        use TraceFound::{Empty, Inline, None as Nothing, Unclosed};
        let cases: &[(&str, Option<&str>, &str, TraceFound)] = &[
            ("hi", None, "hi", Nothing),
            ("", None, "", Nothing),
            (
                "<think>\nwhy\n</think>\n\n hi \n",
                Some("why"),
                "hi \n",
                Inline(Marker::Think),
            ),
            (
                "\n <think>a</think>b",
                Some("a"),
                "b",
                Inline(Marker::Think),
            ),
            (
                "<think>\u{e9}</think>\u{1f600}",
                Some("\u{e9}"),
                "\u{1f600}",
                Inline(Marker::Think),
            ),
            (
                "<think>a <think> b</think>c",
                Some("a <think> b"),
                "c",
                Inline(Marker::Think),
            ),
            (
                "<think>a</think>b</think>c",
                Some("a"),
                "b</think>c",
                Inline(Marker::Think),
            ),
            ("<think>a</think>", Some("a"), "", Inline(Marker::Think)),
            (
                "<thinking>a</thinking> b",
                Some("a"),
                "b",
                Inline(Marker::Thinking),
            ),
            (
                "<reasoning>a</reasoning>\n<answer>b</answer>",
                Some("a"),
                "<answer>b</answer>",
                Inline(Marker::Reasoning),
            ),
            (
                "<thought>a</thought>b",
                Some("a"),
                "b",
                Inline(Marker::Thought),
            ),
            (
                "[THINK]a[/THINK]b",
                Some("a"),
                "b",
                Inline(Marker::BracketThink),
            ),
            (
                "<|begin_of_thought|>\n\na\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nb\n\n<|end_of_solution|>",
                Some("a"),
                "b",
                Inline(Marker::BeginOfThought),
            ),
            (
                "<|begin_of_thought|>a<|end_of_thought|> b ",
                Some("a"),
                "b ",
                Inline(Marker::BeginOfThought),
            ),
            (
                "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>",
                Some("a"),
                "b",
                Inline(Marker::Channel),
            ),
            (
                "<|channel|>analysis<|message|>a<|end|>\n<|channel|>final<|message|>b ",
                Some("a"),
                "b ",
                Inline(Marker::Channel),
            ),
            (
                "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>b",
                Some("a"),
                "<|start|>assistant<|channel|>commentary<|message|>b",
                Inline(Marker::Channel),
            ),
            (
                "so it is\n</think>\n\nb",
                Some("so it is"),
                "b",
                Inline(Marker::OpenedByPrompt),
            ),
            ("a</think>b", Some("a"), "b", Inline(Marker::OpenedByPrompt)),
            ("</think>\nb", Some(""), "b", Empty),
            ("<think></think>b", Some(""), "b", Empty),
            ("<think>\n\n</think>\n\nb", Some(""), "b", Empty),
            ("<think>a", None, "<think>a", Unclosed),
            (
                "<think>a</thinking>b",
                None,
                "<think>a</thinking>b",
                Unclosed,
            ),
            (
                "<|channel|>analysis<|message|>a",
                None,
                "<|channel|>analysis<|message|>a",
                Unclosed,
            ),
            // Words about markers, and blocks that do not stand at the beginning.
            ("b <think>a</think>", None, "b <think>a</think>", Nothing),
            (
                "end it with `</think>`",
                None,
                "end it with `</think>`",
                Nothing,
            ),
            ("a</think>b</think>c", None, "a</think>b</think>c", Nothing),
            ("<Think>a</Think>b", None, "<Think>a</Think>b", Nothing),
        ];
        for (content, reasoning, left, expected) in cases {
            let (message, found) = recognize(assistant(content, None));
            assert_eq!(found, *expected, "{content:?}");
            assert_eq!(message, assistant(left, *reasoning), "{content:?}");
            // What is recognized once is recognized for good.
            if *expected != Unclosed && message.content != "b</think>c" {
                assert_eq!(recognize(message.clone()).0, message, "{content:?}");
            }
        }
    }

    #[test]
    fn a_field_of_its_own_stays() {
        let cases = [
            ("b", "a", "b"),
            ("<think>a</think>\nb", " a\n", "b"),
            ("<think>\n\n</think>\n\nb", "a", "b"),
            ("<think>other</think>b", "a", "<think>other</think>b"),
            ("<think>other", "a", "<think>other"),
        ];
        for (content, reasoning, left) in cases {
            let (message, found) = recognize(assistant(content, Some(reasoning)));
            assert_eq!(found, TraceFound::Field, "{content:?}");
            assert_eq!(message, assistant(left, Some(reasoning)), "{content:?}");
        }
        assert_eq!(recognize(assistant("b", Some(""))).1, TraceFound::Empty);
        // A blank field beside a block is no field.
        let (message, found) = recognize(assistant("<think>a</think>b", Some(" ")));
        assert_eq!(found, TraceFound::Inline(Marker::Think));
        assert_eq!(message, assistant("b", Some("a")));
    }

    #[test]
    fn only_the_assistant_thinks() {
        for role in [Role::System, Role::User, Role::Tool] {
            let message = Message::new(role, "<think>a</think>b");
            assert_eq!(recognize(message.clone()), (message, TraceFound::None));
        }
    }

    #[test]
    fn what_stands_beside_the_words_stays() {
        let mut message = assistant("<think>a</think>", None);
        message.extra.insert("weight".to_owned(), 1.into());
        assert_eq!(recognize(message).0.extra["weight"], 1);
    }

    #[test]
    fn any_text_has_an_outcome() {
        // Every sequence of up to five pieces, among them halves of markers and wide characters.
        let pieces = [
            "<think>",
            "</think>",
            "<|end|>",
            "<|channel|>analysis<|message|>",
            "\u{1f600} ",
            "</th",
        ];
        for number in 0..pieces.len().pow(5) {
            let content: String = (0..5)
                .map(|place| pieces[number / pieces.len().pow(place) % pieces.len()])
                .collect();
            let (message, found) = recognize(assistant(&content, None));
            let kept = message.content.len() + message.reasoning.as_ref().map_or(0, String::len);
            assert!(kept <= content.len());
            assert!(content.contains(&message.content));
            if matches!(found, TraceFound::None | TraceFound::Unclosed) {
                assert_eq!(message.content, content);
            }
        }
    }
}
