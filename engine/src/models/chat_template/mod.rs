//! The model's own chat template: messages in, the exact text the model was tuned on out.
//!
//! Templates are programs of strangers. They run in an interpreter without files or network, under
//! a budget of work proportional to the messages, a recursion limit and an output limit. What
//! transformers does around Jinja (`trim_blocks`, `raise_exception`, `tojson`, Python's string
//! methods, `{% generation %}`) is done here alike, because a base trained in a slightly different
//! text answers in a slightly broken way.
//!
//! One hole is known: adding a list to itself more than about thirty times makes the interpreter
//! fill the memory without spending fuel. It ends the worker process, not the program.

mod chosen;
mod clock;
pub(crate) mod deep_stack;
mod dialog;
mod json;
mod markers;
mod message;
mod named;
mod probe;
mod python;
mod source;
mod traits;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};

pub(super) use chosen::Choosing;
pub use chosen::{ChosenTemplate, TemplateOrigin};
pub use clock::Clock;
pub use dialog::{Dialog, GenerationPrompt, Thinking};
pub use message::{Message, REASONING_FIELDS, Role};
pub use named::{EndOfTurn, NamedTemplate};
pub use source::find_source;
pub(crate) use source::read_source;
pub use traits::{EmptyTraceForm, THINK_CLOSE, THINK_OPEN, TemplateTraits};

use crate::foreign_text::visible_excerpt;
use crate::{Error, Result};

/// Real templates are below 64 KiB.
const MAX_SOURCE_BYTES: usize = 1 << 20;
/// Work that any render may do, in the interpreter's units (an instruction, or 64 bytes of text).
const BASE_FUEL: u64 = 400_000;
/// Further work per message; some templates look at every earlier message for each.
const FUEL_PER_MESSAGE: u64 = 3_000;
/// Bytes of messages per further unit of work: enough for eight passes over them.
const INPUT_BYTES_PER_FUEL: u64 = 8;
/// Output that any render may make.
const BASE_OUTPUT_BYTES: usize = 1 << 20;
/// Further output per byte of the messages; JSON escapes multiply by six.
const OUTPUT_PER_INPUT_BYTE: usize = 8;
/// Each level costs native stack, and renders run on threads with small stacks.
const RECURSION_LIMIT: usize = 120;
const NAME: &str = "chat_template";

/// The special tokens as templates use them, each as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Begin of sequence.
    pub bos: Option<String>,
    /// End of sequence.
    pub eos: Option<String>,
    /// Padding.
    pub pad: Option<String>,
    /// Unknown.
    pub unk: Option<String>,
}

/// Why a render gave no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RenderProblem {
    /// The template called `raise_exception`: these messages are not for this model.
    Refused(String),
    /// The template could not be run on these messages.
    Failed(String),
    /// The template did more work or made more text than any honest template does.
    OverLimit(String),
}

impl RenderProblem {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Refused(text) | Self::Failed(text) | Self::OverLimit(text) => text,
        }
    }
}

/// A parsed template with the tokens and the date it may print.
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    origin: PathBuf,
    source: Arc<str>,
    traits: OnceLock<TemplateTraits>,
    environment: Environment<'static>,
    special: SpecialTokens,
    clock: Clock,
}

impl ChatTemplate {
    /// Parses a template. `origin` is the model's folder or file, for messages.
    pub fn new(origin: &Path, source: &str, special: SpecialTokens) -> Result<Self> {
        let invalid = |problem: String| Error::ChatTemplateInvalid {
            path: origin.into(),
            problem,
        };
        if source.len() > MAX_SOURCE_BYTES {
            return Err(invalid(format!(
                "{} bytes long, no template is",
                source.len()
            )));
        }
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(|error| invalid(error.to_string()))?;
        let mut environment = Environment::new();
        environment.set_syntax(syntax);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_recursion_limit(RECURSION_LIMIT);
        python::install(&mut environment);
        environment.add_filter("tojson", json::tojson);
        environment.add_function("raise_exception", raise_exception);
        environment
            .add_template_owned(NAME, source::prepared(source))
            .map_err(|error| invalid(describe(&error)))?;
        let template = Self {
            origin: origin.into(),
            source: source.into(),
            traits: OnceLock::new(),
            environment,
            special,
            clock: Clock::now(),
        };
        Ok(template.with_clock(Clock::now()))
    }

    /// Fixes the date that the template sees; a resumed run passes the one it began with.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self.environment
            .add_function("strftime_now", move |pattern: &str| -> String {
                clock.format(pattern)
            });
        self
    }

    /// The date that the template sees.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The template as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What the template does, asked of it once.
    pub fn traits(&self) -> &TemplateTraits {
        self.traits.get_or_init(|| TemplateTraits::of(self))
    }

    /// The special tokens that the template may print.
    pub fn special_tokens(&self) -> &SpecialTokens {
        &self.special
    }

    /// The text of a conversation, special tokens included: encode it without adding any.
    pub fn render(&self, dialog: &Dialog<'_>, prompt: GenerationPrompt) -> Result<String> {
        self.try_render(dialog, prompt)
            .map_err(|problem| self.invalid(&problem))
    }

    /// The engine's error for a problem with this template.
    pub(crate) fn invalid(&self, problem: &RenderProblem) -> Error {
        Error::ChatTemplateInvalid {
            path: self.origin.clone(),
            problem: match problem {
                RenderProblem::Refused(text) => format!("refuses these messages: {text}"),
                RenderProblem::Failed(text) | RenderProblem::OverLimit(text) => text.clone(),
            },
        }
    }

    /// Like [`render`](Self::render), telling a refusal from a defect.
    pub(crate) fn try_render(
        &self,
        dialog: &Dialog<'_>,
        prompt: GenerationPrompt,
    ) -> Result<String, RenderProblem> {
        deep_stack::run(|| self.render_here(dialog, prompt)).unwrap_or_else(|error| {
            Err(RenderProblem::OverLimit(format!("cannot be run: {error}")))
        })
    }

    fn render_here(
        &self,
        dialog: &Dialog<'_>,
        prompt: GenerationPrompt,
    ) -> Result<String, RenderProblem> {
        let input_bytes = dialog.text_bytes();
        let fuel = BASE_FUEL
            + FUEL_PER_MESSAGE * dialog.messages.len() as u64
            + input_bytes as u64 / INPUT_BYTES_PER_FUEL;
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(fuel.min(deep_stack::MAX_FUEL)));
        let mut out = LimitedOutput {
            text: Vec::with_capacity(input_bytes + 64 * dialog.messages.len()),
            limit: input_bytes.saturating_mul(OUTPUT_PER_INPUT_BYTE) + BASE_OUTPUT_BYTES,
        };
        let rendered = environment.get_template(NAME).and_then(|template| {
            template.render_captured_to(context(&self.special, dialog, prompt), &mut out)
        });
        match rendered.map(drop).map_err(|error| classify(&error)) {
            Ok(()) => String::from_utf8(out.text)
                .map_err(|_| RenderProblem::Failed("the output is not text".to_owned())),
            // The messages are to blame, not the template.
            Err(RenderProblem::OverLimit(_)) if fuel > deep_stack::MAX_FUEL => Err(
                RenderProblem::Failed("the conversation is too large to render".to_owned()),
            ),
            Err(problem) => Err(problem),
        }
    }
}

/// Everything that the template can see.
fn context(special: &SpecialTokens, dialog: &Dialog<'_>, prompt: GenerationPrompt) -> Value {
    let messages = dialog.messages.iter().map(Message::template_value);
    let tools = dialog.tools.map_or(Value::from(()), json::template_value);
    let mut pairs = vec![
        ("messages", messages.collect()),
        (
            "add_generation_prompt",
            Value::from(prompt == GenerationPrompt::Assistant),
        ),
        ("tools", tools),
        ("documents", Value::from(())),
    ];
    // As in transformers, a token the tokenizer lacks is undefined, not none.
    let SpecialTokens { bos, eos, pad, unk } = special;
    for (name, token) in [
        ("bos_token", bos),
        ("eos_token", eos),
        ("pad_token", pad),
        ("unk_token", unk),
    ] {
        pairs.extend(token.as_deref().map(|text| (name, Value::from(text))));
    }
    let thinking = dialog.thinking.enabled();
    pairs.extend(thinking.map(|enabled| ("enable_thinking", Value::from(enabled))));
    Value::from_pairs(pairs)
}

/// Marks an error as the template's own `raise_exception`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

/// Marks an error as the output limit.
#[derive(Debug, thiserror::Error)]
#[error("more than {0} bytes of output")]
struct OutputLimit(usize);

fn raise_exception(message: &Value) -> Result<Value, minijinja::Error> {
    let message = message.to_string();
    Err(
        minijinja::Error::new(ErrorKind::InvalidOperation, message.clone())
            .with_source(Refusal(message)),
    )
}

struct LimitedOutput {
    text: Vec<u8>,
    limit: usize,
}

impl io::Write for LimitedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.limit - self.text.len().min(self.limit) {
            return Err(io::Error::other(OutputLimit(self.limit)));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn classify(error: &minijinja::Error) -> RenderProblem {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(Refusal(message)) = current.downcast_ref() {
            return RenderProblem::Refused(visible_excerpt(message, 300));
        }
        let io_cause = current
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if io_cause.is_some_and(|inner| inner.is::<OutputLimit>()) {
            return RenderProblem::OverLimit("produces an absurd amount of text".to_owned());
        }
        let kind = current
            .downcast_ref::<minijinja::Error>()
            .map(minijinja::Error::kind);
        if kind == Some(ErrorKind::OutOfFuel) {
            return RenderProblem::OverLimit("does not come to an end".to_owned());
        }
        cause = current.source();
    }
    RenderProblem::Failed(describe(error))
}

/// What the interpreter says, with the line of the template.
fn describe(error: &minijinja::Error) -> String {
    let text = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    let line = error
        .line()
        .map(|line| format!(" (line {line} of the template)"))
        .unwrap_or_default();
    visible_excerpt(&text, 300) + &line
}

#[cfg(test)]
mod tests;
