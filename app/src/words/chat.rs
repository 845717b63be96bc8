//! The words of the Chat page.

use stepladder_protocol::{ErrorReport, FinishReason, ReplyStats};

use crate::state::chat::CannotSend;
use crate::state::chat::conversation::Who;
use crate::state::chat::sampling::{SamplerField, SamplerWrong};
use crate::text::{count, rate, thousands, visible};

/// The list of conversations.
pub const CONVERSATIONS: &str = "Conversations";
/// Shows or hides it.
pub const LIST: &str = "Show or hide conversations";
/// Begins one.
pub const NEW: &str = "New conversation";
/// Before anything was kept.
pub const NONE_KEPT: &str = "What you talk about is kept here, on this machine only.";
/// While one is read.
pub const READING: &str = "Reading the conversation…";
/// Gives the open one another name.
pub const RENAME: &str = "Rename conversation";
/// The field.
pub const NAME: &str = "Name of the conversation";
/// Asks before it goes to the bin.
pub const DELETE: &str = "Delete conversation";
/// The dialog before deleting.
pub const DELETE_TITLE: &str = "Move this conversation to the bin?";
/// Does it.
pub const DELETE_DO: &str = "Move to bin";
/// Does not.
pub const CANCEL: &str = "Cancel";
/// Before the first question.
pub const EMPTY_TITLE: &str = "Ask something";
/// What this page is for.
pub const EMPTY_TEXT: &str =
    "The base model answers, and up to three adapters beside it. Everything stays on this machine.";
/// What the built-in model can do.
pub const EMPTY_BUILTIN: &str =
    "The built-in model knows arithmetic word problems and nothing else.";
/// One of these.
pub const EXAMPLE: &str =
    "Anna has 345 coins. Ben gives Anna 267 more. How many coins does Anna have now?";
/// Takes it.
pub const TRY_EXAMPLE: &str = "Try an example";
/// Loads the model.
pub const LOAD: &str = "Load model";
/// The same after a failure.
pub const LOAD_AGAIN: &str = "Load again";
/// Loads it in the form an adapter was trained beside.
pub const LOAD_FOR: &str = "Load the model for this adapter";
/// What that means.
pub const LOAD_FOR_HELP: &str =
    "Loads the model's weights in the form that this adapter was trained beside, and asks again.";
/// While it is loaded.
pub const LOADING: &str = "Loading the model…";
/// It is not loaded.
pub const NOT_LOADED: &str = "Not loaded";
/// Ends the worker.
pub const FREE: &str = "Free memory";
/// What that means.
pub const FREE_HELP: &str =
    "Ends the process that holds the model. The next message loads it again.";
/// Opens the drawer.
pub const DRAWER: &str = "Sampling and instructions";
/// The base model, as a variant.
pub const BASE: &str = "Base model";
/// Opens the list of adapters.
pub const ADD_ADAPTER: &str = "Add adapter";
/// There are as many as there may be.
pub const ENOUGH_ADAPTERS: &str = "Three adapters can answer beside the base model.";
/// No run can be used.
pub const NO_ADAPTERS: &str =
    "No run with an adapter for this model yet. Train one on the Fine-tune page.";
/// The run was made with another model.
pub const OTHER_MODEL: &str = "trained on another model";
/// What can be done while a run needs the device.
pub const NOT_NOW_HELP: &str = "Chat after this run, or pause it: it resumes exactly where it was.";
/// Both share the processor.
pub const SLOWER: &str =
    "A run is training on the same processor: it and the chat are both slower.";
/// The field for messages.
pub const MESSAGE: &str = "Message";
/// What stands there.
pub const MESSAGE_EMPTY: &str = "Ask something. Enter sends, Shift+Enter begins a new line.";
/// Sends it.
pub const SEND: &str = "Send";
/// Stops replies.
pub const STOP: &str = "Stop";
/// What that means.
pub const STOP_HELP: &str = "Keeps what was said so far. (Esc)";
/// The field for a question that is changed.
pub const QUESTION: &str = "Question";
/// Sends it.
pub const RESEND: &str = "Send again";
/// What that means.
pub const RESEND_HELP: &str = "Replaces this question, and drops what follows.";
/// Begins to change it.
pub const EDIT: &str = "Edit question";
/// Answers anew.
pub const REGENERATE: &str = "Answer again";
/// Copies a question.
pub const COPY_QUESTION: &str = "Copy question";
/// Copies a reply.
pub const COPY_REPLY: &str = "Copy answer";
/// Copies a block of code.
pub const COPY_CODE: &str = "Copy code";
/// A block of code in no language.
pub const CODE: &str = "Code";
/// A reply that has not begun.
pub const WAITING: &str = "Waiting for its first word…";
/// The same behind others.
pub const WAITING_TURN: &str = "Answers after the others…";
/// While it thinks.
pub const THINKING: &str = "Thinking…";
/// It said nothing.
pub const NOTHING_SAID: &str = "It said nothing.";
/// It thought, and said nothing.
pub const NO_ANSWER: &str = "It ended while thinking, without an answer.";
/// The end of a reply never came.
pub const CUT_OFF: &str = "Stepladder was closed before this reply ended.";
/// The instructions.
pub const SYSTEM: &str = "Instructions";
/// Their help.
pub const SYSTEM_HELP: &str =
    "Stand above the conversation, as the system message. None by default.";
/// The sampler.
pub const SAMPLING: &str = "Sampling";
/// Its help.
pub const SAMPLING_HELP: &str = "For the next replies. What is empty is as the model recommends.";
/// Empties it.
pub const AS_RECOMMENDED: &str = "As recommended";
/// What stands in an empty field.
pub const RECOMMENDED: &str = "as the model recommends";
/// What stands in the empty field of the seed.
pub const RANDOM: &str = "another each time";
/// What stands in the empty field of the length.
pub const AS_FITS: &str = "what the context holds";
/// The context's bar.
pub const CONTEXT: &str = "Context";
/// The model's own template.
pub const OWN_TEMPLATE: &str = "the model's own";

/// What a variant is called.
pub fn variant(who: &Who) -> String {
    match who {
        Who::Base => BASE.to_owned(),
        Who::Adapter { name, .. } => visible(name),
    }
}

/// Switches a variant on and off.
pub fn answers(name: &str) -> String {
    format!("{name} answers")
}

/// Takes an adapter out.
pub fn remove(name: &str) -> String {
    format!("Remove {name}")
}

/// What is loaded, and where.
pub fn ready(device: &str) -> String {
    format!("Ready · {device}")
}

/// Which chat template a variant is used with.
pub fn template(template: &str) -> String {
    format!("Chat template: {template}")
}

/// The same about one of several.
pub fn about(what: &str, title: &str) -> String {
    format!("{what}: {title}")
}

/// A conversation in the list.
pub fn entry(title: &str, age: &str) -> String {
    format!("{title}, {age}")
}

/// Conversations that are not in the list.
pub fn left_out(number: usize) -> String {
    format!("{} more, older than these", thousands(number as u64))
}

/// Before a conversation goes to the bin.
pub fn delete_text(title: &str) -> String {
    format!("\"{title}\" goes to the system's bin, from where it can be restored.")
}

/// A reply's reasoning, folded: how long it was.
pub fn thought(tokens: Option<usize>, secs: Option<f64>) -> String {
    let secs = secs.map(seconds);
    let tokens =
        { tokens.filter(|tokens| *tokens > 0) }.map(|tokens| count(tokens, "token", "tokens"));
    match (secs, tokens) {
        (Some(secs), Some(tokens)) => format!("Thought for {secs} · {tokens}"),
        (Some(secs), None) => format!("Thought for {secs}"),
        (None, Some(tokens)) => format!("Reasoning · {tokens}"),
        (None, None) => "Reasoning".to_owned(),
    }
}

/// The same while it goes on.
pub fn thinking(secs: f64) -> String {
    format!("{THINKING} {}", seconds(secs))
}

fn seconds(secs: f64) -> String {
    match secs {
        secs if secs < 10.0 => format!("{secs:.1} s"),
        secs if secs < 60.0 => format!("{secs:.0} s"),
        secs => crate::text::clock(secs),
    }
}

/// Figures of a reply.
pub fn figures(stats: &ReplyStats) -> String {
    let mut parts = Vec::new();
    if stats.total_tokens > 0 {
        parts.push(count(stats.total_tokens, "token", "tokens"));
        if let Some(tokens) = stats.tokens_per_second.filter(|rate| rate.is_finite()) {
            parts.push(format!("{} tokens/s", rate(tokens)));
        }
    }
    match stats.finish {
        FinishReason::Stop => {}
        FinishReason::Length => parts.push("cut off at the limit".to_owned()),
        FinishReason::Cancelled => parts.push("stopped".to_owned()),
    }
    parts.join(" · ")
}

/// Tokens of the conversation, of those the model can hold.
pub fn context_used(tokens: usize, context: usize) -> String {
    format!(
        "{} of {} tokens",
        thousands(tokens as u64),
        thousands(context as u64)
    )
}

/// Tokens the model can hold.
pub fn context_of(context: usize) -> String {
    format!("{CONTEXT}: {} tokens", thousands(context as u64))
}

/// Why what is typed cannot be sent.
pub fn cannot_send(problem: CannotSend) -> &'static str {
    match problem {
        CannotSend::Nothing => "Type a message first.",
        CannotSend::Answering => "Wait for the replies, or stop them.",
        CannotSend::Nobody => "Switch on who should answer.",
        CannotSend::TooLong => "This message is longer than any model reads.",
        CannotSend::NotNow => super::shell::NOT_NOW,
    }
}

/// A field of the sampler.
pub fn sampler_label(field: SamplerField) -> &'static str {
    match field {
        SamplerField::Temperature => "Temperature",
        SamplerField::TopK => "Top-k",
        SamplerField::TopP => "Top-p",
        SamplerField::MinP => "Min-p",
        SamplerField::RepetitionPenalty => "Repetition penalty",
        SamplerField::Seed => "Seed",
        SamplerField::MaxTokens => "Longest reply",
    }
}

/// What it does.
pub fn sampler_help(field: SamplerField) -> &'static str {
    match field {
        SamplerField::Temperature => {
            "Higher is more surprising; 0 always takes the likeliest token."
        }
        SamplerField::TopK => "Chooses among this many of the likeliest tokens; 0 among all.",
        SamplerField::TopP => "Chooses among the likeliest tokens that together reach this share.",
        SamplerField::MinP => "Leaves out tokens below this share of the likeliest one.",
        SamplerField::RepetitionPenalty => {
            "Above 1 what was said becomes less likely; 1 changes nothing."
        }
        SamplerField::Seed => "The same seed and question give the same reply.",
        SamplerField::MaxTokens => "Tokens after which a reply is cut off, reasoning counted.",
    }
}

/// What stands in it while it is empty.
pub fn sampler_empty(field: SamplerField) -> &'static str {
    match field {
        SamplerField::Seed => RANDOM,
        SamplerField::MaxTokens => AS_FITS,
        _ => RECOMMENDED,
    }
}

/// What is wrong with it.
pub fn sampler_wrong(wrong: SamplerWrong) -> String {
    match wrong {
        SamplerWrong::NotANumber => "This is no number.".to_owned(),
        SamplerWrong::NotWhole => "This is no whole number.".to_owned(),
        SamplerWrong::Outside(from, to) if to.is_finite() => format!("Use {from} to {to}."),
        SamplerWrong::Outside(from, _) => format!("Use {from} or more."),
    }
}

/// The worker ended although replies were due.
pub fn ended() -> ErrorReport {
    ErrorReport::new(
        "chat_ended",
        "the model was let go before it answered",
        "ask again",
    )
}

/// A conversation that no model holds.
pub fn conversation_too_long() -> ErrorReport {
    ErrorReport::new(
        "message_too_long",
        "this conversation is longer than any model reads",
        "begin a new conversation",
    )
}

/// What to do about a problem of a chat: hints of the engine speak of runs.
pub fn hint(problem: &ErrorReport) -> String {
    match problem.code.as_str() {
        "worker_died" => "If memory ran out, choose a smaller model, or free memory elsewhere. The conversation is kept.".to_owned(),
        "worker_protocol" | "internal" => "Please report this. The conversation is kept.".to_owned(),
        "chat_template_missing" => "Choose the instruction-tuned version of this model, or an adapter that was trained with a chat template.".to_owned(),
        "adapter_for_another_base" => "Take this adapter out, or choose the model that it was trained on.".to_owned(),
        code => super::hint(code, &problem.hint),
    }
}
