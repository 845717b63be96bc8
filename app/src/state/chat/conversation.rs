//! A conversation: what was asked and what each variant answered, as it is kept on disk.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use stepladder_protocol::{
    AdapterChoice, ChatMessage, ErrorReport, FinishReason, ReplyStats, Role, SamplerSettings,
};

use super::super::setup::BUILTIN;

/// The markers around reasoning, as models write them.
const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";
/// Characters of the first question that name a conversation.
const TITLE: usize = 48;

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The base model.
    Base,
    /// The base model with an adapter.
    Adapter {
        /// Its run.
        path: PathBuf,
        /// What the run is called.
        name: String,
    },
}

impl Who {
    /// As the worker is told.
    pub fn choice(&self) -> AdapterChoice {
        match self {
            Self::Base => AdapterChoice::Base,
            Self::Adapter { path, .. } => AdapterChoice::At(path.clone()),
        }
    }
}

/// A conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// What the user calls it; none: the first words of its first question.
    #[serde(default)]
    pub title: Option<String>,
    /// The model it was held with last, by what `--model` takes.
    pub model: String,
    /// Instructions that stand above it; may be empty.
    #[serde(default)]
    pub system: String,
    /// How its replies are drawn.
    #[serde(default)]
    pub settings: SamplerSettings,
    /// Questions and replies, in order.
    pub exchanges: Vec<Exchange>,
    /// When it was last changed, in seconds since 1970.
    #[serde(default)]
    pub changed_at: f64,
}

impl Default for Conversation {
    fn default() -> Self {
        Self {
            title: None,
            model: BUILTIN.to_owned(),
            system: String::new(),
            settings: SamplerSettings::default(),
            exchanges: Vec::new(),
            changed_at: 0.0,
        }
    }
}

/// A question and what was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// The question.
    pub question: String,
    /// A reply of each variant that was asked.
    pub replies: Vec<Reply>,
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Who says it.
    pub who: Who,
    /// What it thought, exactly as it was said, markers included.
    #[serde(default)]
    pub reasoning: String,
    /// What it answered.
    #[serde(default)]
    pub answer: String,
    /// Its figures; none before its end, or if that never came.
    #[serde(default)]
    pub stats: Option<ReplyStats>,
    /// Seconds from its first word of reasoning to its first word of an answer.
    #[serde(default)]
    pub reasoning_secs: Option<f64>,
    /// Why there is none.
    #[serde(default)]
    pub problem: Option<ErrorReport>,
    /// How far it has come.
    #[serde(skip)]
    pub stage: Stage,
}

/// How far a reply has come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Stage {
    /// It has ended.
    #[default]
    Ended,
    /// It was asked for.
    Waiting,
    /// It is being said; reasoning began at this time.
    Reasoning(f64),
    /// Its answer is being said.
    Answering,
}

impl Reply {
    /// A reply that was just asked for.
    pub fn asked_of(who: Who) -> Self {
        Self {
            who,
            reasoning: String::new(),
            answer: String::new(),
            stats: None,
            reasoning_secs: None,
            problem: None,
            stage: Stage::Waiting,
        }
    }

    /// Whether more may come.
    pub fn is_open(&self) -> bool {
        self.stage != Stage::Ended
    }

    /// Takes the next piece.
    pub fn say(&mut self, text: &str, is_reasoning: bool, now: f64) {
        if is_reasoning {
            if self.stage == Stage::Waiting {
                self.stage = Stage::Reasoning(now);
            }
            self.reasoning.push_str(text);
            return;
        }
        if let Stage::Reasoning(began) = self.stage {
            self.reasoning_secs = Some((now - began).max(0.0));
        }
        self.stage = Stage::Answering;
        self.answer.push_str(text);
    }

    /// It has ended, with these figures.
    pub fn end(&mut self, stats: ReplyStats, now: f64) {
        if let Stage::Reasoning(began) = self.stage {
            self.reasoning_secs = Some((now - began).max(0.0));
        }
        // The engine measures it where it thinks, the window where it hears of it.
        self.reasoning_secs = stats.reasoning_secs.or(self.reasoning_secs);
        self.stage = Stage::Ended;
        self.stats = Some(stats);
    }

    /// It will not come.
    pub fn fail(&mut self, problem: ErrorReport) {
        self.stage = Stage::Ended;
        self.problem = Some(problem);
    }

    /// Nobody waits for the rest of it.
    pub fn leave(&mut self) {
        if self.is_open() {
            self.stage = Stage::Ended;
            self.stats = Some(ReplyStats {
                finish: FinishReason::Cancelled,
                ..no_figures()
            });
        }
    }

    /// All that was said.
    pub fn text(&self) -> String {
        format!("{}{}", self.reasoning, self.answer)
    }

    /// Its reasoning without the markers.
    pub fn thought(&self) -> &str {
        let thought = self.reasoning.trim();
        let thought = thought.strip_prefix(OPEN).unwrap_or(thought);
        thought.strip_suffix(CLOSE).unwrap_or(thought).trim()
    }

    /// Tokens of the conversation with it, where they were counted.
    pub fn context_tokens(&self) -> Option<usize> {
        let stats = self
            .stats
            .as_ref()
            .filter(|stats| stats.prompt_tokens > 0)?;
        Some(stats.prompt_tokens + stats.total_tokens)
    }

    /// Why it ended, where that is known.
    pub fn finish(&self) -> Option<FinishReason> {
        self.stats.as_ref().map(|stats| stats.finish)
    }
}

fn no_figures() -> ReplyStats {
    ReplyStats {
        reasoning_tokens: 0,
        total_tokens: 0,
        finish: FinishReason::Stop,
        tokens_per_second: None,
        reasoning_secs: None,
        prompt_tokens: 0,
        context_length: 0,
    }
}

impl Conversation {
    /// What it is called; empty while nothing was said.
    pub fn title(&self) -> String {
        match &self.title {
            Some(title) => title.clone(),
            None => { self.exchanges.first() }
                .map_or_else(String::new, |exchange| title_of(&exchange.question)),
        }
    }

    /// Whether a reply is still coming.
    pub fn is_open(&self) -> bool {
        let mut replies = { self.exchanges.iter() }.flat_map(|exchange| &exchange.replies);
        replies.any(Reply::is_open)
    }

    /// What is sent to let `who` answer the question of exchange `place`. What it said before are its
    /// own replies; where it was not asked, those of whoever was. A question that nobody answered is
    /// left out, as templates want questions and answers in turn.
    pub fn messages(&self, who: &Who, place: usize) -> Vec<ChatMessage> {
        let message = |role, content: &str| ChatMessage {
            role,
            content: content.to_owned(),
        };
        let mut messages = Vec::new();
        if !self.system.trim().is_empty() {
            messages.push(message(Role::System, self.system.trim()));
        }
        for exchange in self.exchanges.iter().take(place) {
            let said = |reply: &&Reply| !reply.reasoning.is_empty() || !reply.answer.is_empty();
            let own = { exchange.replies.iter() }
                .find(|reply| reply.who == *who)
                .filter(said);
            if let Some(reply) = own.or_else(|| exchange.replies.iter().find(said)) {
                messages.push(message(Role::User, &exchange.question));
                messages.push(message(Role::Assistant, &reply.text()));
            }
        }
        if let Some(exchange) = self.exchanges.get(place) {
            messages.push(message(Role::User, &exchange.question));
        }
        messages
    }
}

/// What a conversation is called that begins with this question.
pub fn title_of(question: &str) -> String {
    first_words(question, TITLE)
}

fn first_words(text: &str, most: usize) -> String {
    let mut words = String::new();
    for word in text.split_whitespace() {
        let length = words.chars().count() + 1 + word.chars().count();
        if words.is_empty() {
            words = word.chars().take(most).collect();
        } else if length > most {
            words.push('…');
            break;
        } else {
            words.push(' ');
            words.push_str(word);
        }
    }
    words
}
